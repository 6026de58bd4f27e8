/** How a client is connected. Label of metrics and log lines. */
export const Transport = { sse: "sse", websocket: "websocket" } as const;
export type Transport = (typeof Transport)[keyof typeof Transport];
