import { defineConfig } from "vite";

// The page of `zeroconf-ai serve`: the same page with a form to log in. The files in server/ are copied as they are.
export default defineConfig({
  publicDir: "server",
  build: {
    outDir: "../custom_components/zeroconf_ai/core/server/administration/files",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    lib: { entry: "src/server.ts", formats: ["es"], fileName: () => "page.js" },
    rolldownOptions: { output: { chunkFileNames: "[name].js", codeSplitting: true } },
  },
});
