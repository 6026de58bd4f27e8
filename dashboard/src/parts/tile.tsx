import type { ComponentChildren } from "preact";
import { percent } from "../format.ts";

interface TileProps {
  readonly label: string;
  readonly value: string;
  readonly note?: ComponentChildren;
  readonly href?: string;
  /** Between 0 and 1: how much of a limit is used. */
  readonly share?: number;
  readonly level?: "well" | "warning" | "failure";
}

/** One number with its name. */
export function Tile({ label, value, note, href, share, level = "well" }: TileProps) {
  const content = (
    <>
      <span class="tile-label">{label}</span>
      <span class="tile-value">{value}</span>
      {share !== undefined && (
        <svg class="tile-share" role="img" aria-label={`${percent(share)} of the limit`}>
          <rect class="share-all" width="100%" height="6" rx="3" />
          <rect
            class={share > 0.8 ? "share-used high" : "share-used"}
            width={`${Math.max(0.8, Math.min(100, share * 100))}%`}
            height="6"
            rx="3"
          />
        </svg>
      )}
      <span class="tile-note">{note}</span>
    </>
  );
  return href === undefined ? (
    <div class={`tile ${level}`}>{content}</div>
  ) : (
    <a class={`tile ${level}`} href={href}>
      {content}
    </a>
  );
}
