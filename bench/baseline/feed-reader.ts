import { request } from "node:http";

/** Reads the benchmark's feed, and hands out the data of all events of a chunk together. */
export function readFeed(port: number, take: (data: readonly string[]) => void): void {
  const outgoing = request({ host: "127.0.0.1", port, path: "/feed" }, (response) => {
    let rest = "";
    response.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() as string;
      take(lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice(6)));
    });
    response.on("end", () => process.exit(0));
  });
  outgoing.on("error", () => process.exit(1));
  outgoing.end();
}
