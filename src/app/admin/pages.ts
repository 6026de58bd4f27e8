import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import type { FastifyPluginAsync, FastifyReply } from "fastify";

/** Where the build puts the page, seen from `src/` and from `dist/` alike. */
const BUILT = new URL("../../../dist/dashboard/", import.meta.url);

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  png: "image/png",
  woff2: "font/woff2",
};

/** Nothing from elsewhere, nothing inline, in nobody's frame. `connect-src` takes in the gateway's own WebSocket. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

interface Page {
  readonly body: Buffer;
  readonly type: string;
  readonly etag: string;
}

/** The dashboard at `/admin/`: a few files, read once and served from memory. The page asks for all else by the API. */
export const dashboardPages: FastifyPluginAsync = async (app) => {
  const pages = await readPages();

  app.get("/admin", async (_request, reply) => reply.redirect("/admin/", 308));

  app.get("/admin/*", async (request, reply) => {
    const path = (request.params as { "*": string })["*"];
    guard(reply);
    if (pages.size === 0) {
      reply.code(503).type("text/plain; charset=utf-8");
      return "The dashboard was not built. In a checkout, run: npm run build\n";
    }
    const page = pages.get(path === "" ? "index.html" : path);
    if (page === undefined) {
      return reply.code(404).send({ error: "not_found", error_description: "there is nothing at this path" });
    }
    // Names of assets change with their content.
    reply.header(
      "cache-control",
      path.startsWith("assets/") ? "public, max-age=31536000, immutable" : "no-cache",
    );
    reply.header("etag", page.etag).type(page.type);
    return request.headers["if-none-match"] === page.etag ? reply.code(304).send() : page.body;
  });
};

async function readPages(): Promise<ReadonlyMap<string, Page>> {
  const pages = new Map<string, Page>();
  let names: string[];
  try {
    names = await readdir(BUILT, { recursive: true });
  } catch {
    return pages;
  }
  for (const name of names) {
    const path = name.replaceAll("\\", "/");
    const type = TYPES[path.slice(path.lastIndexOf(".") + 1)];
    if (type === undefined) continue;
    const body = await readFile(new URL(path, BUILT));
    const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
    pages.set(path, { body, type, etag });
  }
  return pages;
}

function guard(reply: FastifyReply): void {
  reply.headers({
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
  });
}
