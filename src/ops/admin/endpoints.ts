import { z } from "zod";
import type { AdminDesk } from "./ports.ts";
import * as S from "./schemas.ts";

const NOTHING = z.object({});

/** One operation of the API: what validates it, what documents it, and what does it. */
export interface Endpoint<
  Params extends z.ZodObject = z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodType,
  Answer extends z.ZodType = z.ZodType,
> {
  readonly method: "GET" | "POST" | "DELETE";
  /** Under `/admin/api`, with `{name}` for parameters, as OpenAPI writes them. */
  readonly path: string;
  /** The operation's id. */
  readonly id: string;
  readonly tag: string;
  readonly summary: string;
  readonly params: Params;
  readonly query: Query;
  /** Undefined: it takes none. */
  readonly body: Body | undefined;
  readonly answer: Answer;
  /** @param by the administrator's name, for the log. Null: what is named does not exist. */
  readonly run: (
    desk: AdminDesk,
    input: { readonly params: z.infer<Params>; readonly query: z.infer<Query>; readonly body: z.infer<Body> },
    by: string,
  ) => z.infer<Answer> | null | Promise<z.infer<Answer> | null>;
}

type Given<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Answer extends z.ZodType,
> = Omit<Endpoint<Params, Query, Body, Answer>, "params" | "query" | "body"> & {
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
};

function endpoint<
  Answer extends z.ZodType,
  Params extends z.ZodObject = typeof NOTHING,
  Query extends z.ZodObject = typeof NOTHING,
  Body extends z.ZodType = z.ZodUndefined,
>(given: Given<Params, Query, Body, Answer>): Endpoint {
  return { params: NOTHING, query: NOTHING, body: undefined, ...given } as unknown as Endpoint;
}

/** Everything under `/admin/api/v1`. */
export const ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    method: "GET",
    path: "/v1/overview",
    id: "getOverview",
    tag: "Overview",
    summary: "Whether all is well, and the numbers of this moment",
    answer: S.Overview,
    run: (desk) => desk.overview(),
  }),
  endpoint({
    method: "GET",
    path: "/v1/history",
    id: "getHistory",
    tag: "Overview",
    summary:
      "The numbers since the start: the last 10 minutes by the second, 2 hours by 10 s, 24 hours by the minute",
    query: S.HistoryQuery,
    answer: S.History,
    run: (desk, { query }) => desk.history(query.step),
  }),
  endpoint({
    method: "GET",
    path: "/v1/connections",
    id: "listConnections",
    tag: "Connections",
    summary: "Clients' connections, searched and sorted; those that ended lately too",
    query: S.ConnectionsQuery,
    answer: S.Connections,
    run: (desk, { query }) => desk.connections(query),
  }),
  endpoint({
    method: "GET",
    path: "/v1/connections/{id}",
    id: "getConnection",
    tag: "Connections",
    summary: "One connection and what it subscribes to",
    params: S.ConnectionParams,
    answer: S.ConnectionDetail,
    run: (desk, { params }) => desk.connection(params.id),
  }),
  endpoint({
    method: "POST",
    path: "/v1/connections/{id}/close",
    id: "closeConnection",
    tag: "Connections",
    summary: "Ends one connection: so that its client comes back, or for good",
    params: S.ConnectionParams,
    body: S.CloseBody,
    answer: S.Changed,
    run: (desk, { params, body }, by) => desk.closeConnection(params.id, body.reconnect, by),
  }),
  endpoint({
    method: "GET",
    path: "/v1/subscribers",
    id: "listSubscribers",
    tag: "Topics",
    summary: "Who gets the events of a topic",
    query: S.SubscribersQuery,
    answer: S.Subscribers,
    run: (desk, { query }) => desk.subscribers(query),
  }),
  endpoint({
    method: "GET",
    path: "/v1/topics",
    id: "listTopics",
    tag: "Topics",
    summary: "Topics that somebody subscribes to, or that have events in the log or a state",
    query: S.TopicsQuery,
    answer: S.Topics,
    run: (desk, { query }) => desk.topics(query),
  }),
  endpoint({
    method: "GET",
    path: "/v1/feeds",
    id: "listFeeds",
    tag: "Feeds",
    summary: "Feeds, their links, and each link's life over the last hour",
    answer: S.Feeds,
    run: (desk) => desk.feeds(),
  }),
  endpoint({
    method: "POST",
    path: "/v1/feeds/{feed}/links/{link}/rotate",
    id: "rotateLink",
    tag: "Feeds",
    summary: "Replaces an open link by a new one, without a gap",
    params: S.LinkParams,
    answer: S.Changed,
    run: (desk, { params }, by) => desk.rotateLink(params.feed, params.link, by),
  }),
  endpoint({
    method: "POST",
    path: "/v1/feeds/{feed}/links/{link}/close",
    id: "closeLink",
    tag: "Feeds",
    summary: "Cuts a link; it connects again at once, as after a reset",
    params: S.LinkParams,
    answer: S.Changed,
    run: (desk, { params }, by) => desk.closeLink(params.feed, params.link, by),
  }),
  endpoint({
    method: "GET",
    path: "/v1/users",
    id: "listUsers",
    tag: "Users",
    summary: "Users by name, page by page",
    query: S.UsersQuery,
    answer: S.Users,
    run: (desk, { query }) => desk.users(query),
  }),
  endpoint({
    method: "POST",
    path: "/v1/users/{name}/disable",
    id: "disableUser",
    tag: "Users",
    summary: "Lets a user sign in no more, and ends the user's sessions and connections",
    params: S.UserParams,
    answer: S.Changed,
    run: (desk, { params }, by) => desk.setUserDisabled(params.name, true, by),
  }),
  endpoint({
    method: "POST",
    path: "/v1/users/{name}/enable",
    id: "enableUser",
    tag: "Users",
    summary: "Lets a disabled user sign in again",
    params: S.UserParams,
    answer: S.Changed,
    run: (desk, { params }, by) => desk.setUserDisabled(params.name, false, by),
  }),
  endpoint({
    method: "GET",
    path: "/v1/users/{name}/sessions",
    id: "listSessions",
    tag: "Users",
    summary: "A user's sessions, newest first",
    params: S.UserParams,
    answer: S.Sessions,
    run: (desk, { params }) => desk.sessions(params.name),
  }),
  endpoint({
    method: "DELETE",
    path: "/v1/users/{name}/sessions",
    id: "revokeSessions",
    tag: "Users",
    summary: "Ends all sessions of a user, and the connections that they opened",
    params: S.UserParams,
    answer: S.Changed,
    run: (desk, { params }, by) => desk.revokeSessions(params.name, by),
  }),
  endpoint({
    method: "DELETE",
    path: "/v1/sessions/{id}",
    id: "revokeSession",
    tag: "Users",
    summary: "Ends one session, and the connections that it opened",
    params: S.SessionParams,
    answer: S.Changed,
    run: (desk, { params }, by) => desk.revokeSession(params.id, by),
  }),
  endpoint({
    method: "GET",
    path: "/v1/errors",
    id: "listErrors",
    tag: "Errors",
    summary: "Errors and ends by room, code and peer, with a sample and what to do; the latest first",
    query: S.ErrorsQuery,
    answer: S.Errors,
    run: (desk, { query }) => desk.errors(query),
  }),
  endpoint({
    method: "GET",
    path: "/v1/configuration",
    id: "getConfiguration",
    tag: "Gateway",
    summary: "The configuration in force, secrets hidden",
    answer: S.Configuration,
    run: (desk) => desk.configuration(),
  }),
  endpoint({
    method: "POST",
    path: "/v1/drain",
    id: "drain",
    tag: "Gateway",
    summary: "Stops accepting, says goodbye to every client over a while, and ends the gateway",
    answer: S.Draining,
    run: (desk, _input, by) => desk.drain(by),
  }),
];
