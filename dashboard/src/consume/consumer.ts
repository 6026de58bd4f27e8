/** What a consumer tells while it follows a topic. */
export interface ConsumerEvents {
  opened(how: { readonly resumed: boolean; readonly recovered: boolean | null }): void;
  event(event: { readonly cursor: string; readonly type: string; readonly data: string }): void;
  /** A cursor without an event. */
  cursor(cursor: string): void;
  /** Events were lost, as the gateway itself says. */
  gap(detail: string): void;
  ended(why: string): void;
}

/** One client of the gateway that follows one topic. */
export interface Consumer {
  /** Ends it at once, without a goodbye. */
  cut(): void;
}
