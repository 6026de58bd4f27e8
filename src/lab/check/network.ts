import { lookup } from "node:dns/promises";
import { connect, isIP, type Socket } from "node:net";
import { codeOf, messageOf } from "#base/errors.ts";
import { type Finding, StepFailure, StepSkipped, within } from "./step.ts";
import type { CheckTarget } from "./target.ts";

/** Whether the name is known, and which addresses it has. */
export async function checkDns(target: CheckTarget, signal: AbortSignal): Promise<Finding> {
  if (isIP(target.host) !== 0) throw new StepSkipped(`${target.host} is an address`);
  try {
    const found = await within(signal, lookup(target.host, { all: true }));
    return { detail: `${target.host} is ${[...new Set(found.map(({ address }) => address))].join(", ")}` };
  } catch (thrown) {
    if (codeOf(thrown) === "ENOTFOUND") {
      throw new StepFailure(
        `no such name: ${target.host}`,
        "Check the spelling of --url, and whether the name's DNS record exists where you are.",
      );
    }
    if (codeOf(thrown) === "EAI_AGAIN") {
      throw new StepFailure(
        `the name server does not answer for ${target.host}`,
        "Check this machine's network and name server, then try again.",
      );
    }
    throw thrown;
  }
}

/** Whether something accepts connections at the port. */
export async function checkTcp(target: CheckTarget, signal: AbortSignal): Promise<Finding> {
  const socket = connect({ host: target.host, port: target.port });
  try {
    await within(signal, connected(socket));
    return { detail: `connected to ${socket.remoteAddress} port ${socket.remotePort}` };
  } catch (thrown) {
    if (signal.aborted) {
      throw new StepFailure(
        `${target.host} port ${target.port} does not answer`,
        "A firewall drops the packets, or the host is down: check security groups and the host itself.",
      );
    }
    throw explainConnectError(thrown, target);
  } finally {
    socket.destroy();
  }
}

/** What an error of connecting means, in words, with what to do. */
export function explainConnectError(thrown: unknown, target: CheckTarget): unknown {
  const where = `${target.host} port ${target.port}`;
  switch (connectCode(thrown)) {
    case "ECONNREFUSED":
      return new StepFailure(
        `connection refused by ${where}`,
        "Nothing listens there: is the gateway running, is the port right, does it listen on this address (listen.host)?",
      );
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return new StepFailure(
        `no route to ${where}`,
        "Check the network between here and the host, and any VPN.",
      );
    case "ETIMEDOUT":
      return new StepFailure(
        `${where} does not answer`,
        "A firewall drops the packets, or the host is down.",
      );
    case "ECONNRESET":
    case "EPIPE":
      return new StepFailure(
        `${where} reset the connection`,
        "Something between here and the gateway cut it: look at the logs of the proxy or load balancer.",
      );
    default:
      return thrown instanceof StepFailure
        ? thrown
        : new StepFailure(
            `connecting to ${where}: ${messageOf(thrown)}`,
            "Look up this error of the system.",
          );
  }
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.on("error", reject);
  });
}

/** A host with several addresses fails with an error of errors; they mostly agree. */
function connectCode(thrown: unknown): string | undefined {
  if (thrown instanceof AggregateError) return codeOf(thrown.errors[0]) ?? codeOf(thrown);
  return codeOf(thrown);
}
