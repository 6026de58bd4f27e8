// Run by `npm ci` in a checkout: builds the dashboard, so that `npm start` shows it. Where development dependencies were
// left out there is nothing to build with, and nothing to say.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const vite = fileURLToPath(new URL("../node_modules/vite/bin/vite.js", import.meta.url));
if (existsSync(vite)) {
  const cwd = fileURLToPath(new URL("../dashboard/", import.meta.url));
  const { status } = spawnSync(process.execPath, [vite, "build", "--logLevel", "warn"], {
    cwd,
    stdio: "inherit",
  });
  process.exitCode = status ?? 1;
}
