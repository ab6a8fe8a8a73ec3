import { defineConfig } from "vitest/config";

// One module for Home Assistant's sidebar. Its name never changes: Home Assistant loads it with the version of the integration
// as a query parameter.
export default defineConfig({
  build: {
    outDir: "../custom_components/zeroconf_ai/panel",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    chunkSizeWarningLimit: 600,
    lib: { entry: "src/home-assistant.ts", formats: ["es"], fileName: () => "panel.js" },
    rolldownOptions: { output: { chunkFileNames: "[name].js", codeSplitting: true } },
  },
  test: { environment: "happy-dom", include: ["test/**/*.test.ts"] },
});
