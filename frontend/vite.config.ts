import { minifyHTMLLiterals } from "minify-literals";
import { defineConfig, type Plugin } from "vitest/config";

/** Minifies the HTML and CSS in template literals, which the JavaScript minifier keeps as they are. */
const literals: Plugin = {
  name: "minify-literals",
  apply: "build",
  transform: {
    filter: { id: /\/src\/.*\.ts$/ },
    handler: (code, id) =>
      minifyHTMLLiterals(code, {
        fileName: id,
        sourceMap: false,
        // Spaces between words and elements are kept, each run of them as one.
        html: { collapseWhitespace: true, conservativeCollapse: true },
      }),
  },
};

// The page of both homes in one folder, so that what they share is there once. Home Assistant loads panel.js with the version of
// the integration as a query parameter; `zeroconf-ai serve` loads page.js and portal.js from the files in server/, which are copied as they are.
// Names of shared modules contain a hash: a cached one never meets a newer page.
export default defineConfig({
  plugins: [literals],
  base: "./",
  publicDir: "server",
  build: {
    outDir: "../custom_components/zeroconf_ai/core/server/administration/files",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    rolldownOptions: {
      input: { panel: "src/home-assistant.ts", page: "src/server.ts", portal: "src/portal.ts" },
      output: { entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" },
    },
  },
  test: { environment: "happy-dom", include: ["test/**/*.test.ts"] },
});
