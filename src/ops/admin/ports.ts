import type { z } from "zod";
import type * as S from "./schemas.ts";

type Of<Schema extends z.ZodType> = z.infer<Schema>;

export type Overview = Of<typeof S.Overview>;
export type History = Of<typeof S.History>;
export type Health = Of<typeof S.Health>;
export type ConnectionItem = Of<typeof S.Connection>;
export type SubscriberItem = Of<typeof S.Subscriber>;
export type FeedItem = Of<typeof S.Feed>;
export type LinkItem = Of<typeof S.Link>;
export type LinkBandItem = Of<typeof S.LinkBand>;
export type ErrorsAnswer = Of<typeof S.Errors>;

/**
 * What the admin API shows and does; the composition root implements it. Reads answer at once from what is in memory,
 * but for users and sessions. Methods that act answer null for what does not exist.
 */
export interface AdminDesk {
  overview(): Overview | Promise<Overview>;
  history(step: Of<typeof S.HistoryQuery>["step"]): History;
  connections(query: Of<typeof S.ConnectionsQuery>): Of<typeof S.Connections>;
  connection(id: string): Of<typeof S.ConnectionDetail> | null;
  closeConnection(id: string, reconnect: boolean, by: string): Of<typeof S.Changed> | null;
  subscribers(query: Of<typeof S.SubscribersQuery>): Of<typeof S.Subscribers>;
  topics(query: Of<typeof S.TopicsQuery>): Of<typeof S.Topics>;
  feeds(): Of<typeof S.Feeds>;
  rotateLink(feed: string, link: number, by: string): Of<typeof S.Changed> | null;
  closeLink(feed: string, link: number, by: string): Of<typeof S.Changed> | null;
  users(query: Of<typeof S.UsersQuery>): Promise<Of<typeof S.Users>>;
  setUserDisabled(name: string, disabled: boolean, by: string): Promise<Of<typeof S.Changed> | null>;
  sessions(user: string): Promise<Of<typeof S.Sessions> | null>;
  revokeSessions(user: string, by: string): Promise<Of<typeof S.Changed> | null>;
  revokeSession(id: string, by: string): Promise<Of<typeof S.Changed> | null>;
  errors(query: Of<typeof S.ErrorsQuery>): ErrorsAnswer;
  configuration(): Of<typeof S.Configuration>;
  drain(by: string): Of<typeof S.Draining>;
}
