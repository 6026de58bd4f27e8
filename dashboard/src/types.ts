import type { AdminDesk } from "../../src/ops/admin/ports.ts";

type Answer<Name extends keyof AdminDesk> = NonNullable<Awaited<ReturnType<AdminDesk[Name]>>>;

export type Overview = Answer<"overview">;
export type History = Answer<"history">;
export type Connections = Answer<"connections">;
export type ConnectionItem = Connections["connections"][number];
export type ConnectionDetail = Answer<"connection">;
export type Feeds = Answer<"feeds">;
export type FeedItem = Feeds["feeds"][number];
export type LinkItem = FeedItem["links"][number];
export type LinkBand = FeedItem["bands"][number];
export type Users = Answer<"users">;
export type Sessions = Answer<"sessions">;
export type Errors = Answer<"errors">;
export type Topics = Answer<"topics">;
export type Configuration = Answer<"configuration">;
