import { defineConfig } from "vite";

/** Relative to nothing outside: the page is served by the gateway itself, under a strict content security policy. */
export default defineConfig({
  base: "/admin/",
  build: { outDir: "../dist/dashboard", emptyOutDir: true, target: "es2023", assetsInlineLimit: 0 },
});
