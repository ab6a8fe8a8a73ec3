import js from "@eslint/js";
import { defineConfig } from "eslint/config";
import lit from "eslint-plugin-lit";
import wc from "eslint-plugin-wc";
import ts from "typescript-eslint";

export default defineConfig(
  { ignores: ["node_modules", "eslint.config.js"] },
  js.configs.recommended,
  ts.configs.strictTypeChecked,
  { languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } } },
  lit.configs["flat/recommended"],
  wc.configs["flat/recommended"],
  {
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      // Home Assistant's WebSocket answers whatever type its caller expects.
      "@typescript-eslint/no-unnecessary-type-parameters": "off",
      // Nothing of a model or of the network is ever HTML.
      "no-restricted-imports": ["error", { paths: [{ name: "lit/directives/unsafe-html.js" }] }],
      "no-restricted-syntax": [
        "error",
        {
          selector: "TemplateElement[value.raw=/\\sstyle=/]",
          message: "The content security policy of serve forbids style attributes: use a class, or `.style=`.",
        },
      ],
      "no-restricted-properties": ["error", { property: "innerHTML" }, { property: "outerHTML" }],
    },
  },
);
