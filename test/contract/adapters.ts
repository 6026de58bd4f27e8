import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { silentLogger } from "#base/logger.ts";
import { SystemClock } from "#base/system-clock.ts";
import { openStorage, type Storage } from "#storage/storage.ts";
import { required } from "../helpers/required.ts";

/** A database that the contract suites run on: empty when opened, gone when disposed. */
export interface Adapter {
  readonly name: string;
  /** Why it cannot be had here; false: it can. */
  readonly missing: string | false;
  open(): Promise<OpenedAdapter>;
}

export interface OpenedAdapter extends AsyncDisposable {
  readonly storage: Storage;
  /** A second opening of the same database, as by another process. */
  openAgain(): Promise<Storage>;
}

/** URL of a PostgreSQL server on which databases may be made; without it that adapter is skipped. */
const POSTGRES_URL = process.env.STREAMKEEPER_TEST_POSTGRES;

export const ADAPTERS: readonly Adapter[] = [
  { name: "SQLite", missing: false, open: () => openOn(sqliteFile()) },
  {
    name: "PostgreSQL",
    missing: required(
      "A PostgreSQL server, named by STREAMKEEPER_TEST_POSTGRES,",
      POSTGRES_URL !== undefined,
    ),
    open: async () => openOn(await postgresDatabase(POSTGRES_URL ?? "")),
  },
];

interface Place {
  readonly url: string;
  remove(): Promise<void>;
}

async function openOn(place: Place): Promise<OpenedAdapter> {
  const opened: Storage[] = [];
  const open = async (): Promise<Storage> => {
    const storage = await openStorage(place.url, { clock: new SystemClock(), logger: silentLogger });
    opened.push(storage);
    return storage;
  };
  return {
    storage: await open(),
    openAgain: open,
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map((storage) => storage.close()));
      await place.remove();
    },
  };
}

function sqliteFile(): Place {
  const directory = mkdtempSync(join(tmpdir(), "streamkeeper-contract-"));
  return {
    url: `sqlite:${join(directory, "data", "test.db")}`,
    remove: async () => rmSync(directory, { recursive: true, force: true }),
  };
}

async function postgresDatabase(serverUrl: string): Promise<Place> {
  const name = `streamkeeper_${randomUUID().replaceAll("-", "")}`;
  const run = async (statement: string): Promise<void> => {
    const client = new Client({ connectionString: serverUrl });
    await client.connect();
    await client.query(statement);
    await client.end();
  };
  await run(`create database ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return { url: url.href, remove: () => run(`drop database ${name} with (force)`) };
}
