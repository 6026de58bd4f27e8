/** Fuzzes a target that loops for ever over some inputs, for a test: no more than its watchdog can end it. */
import { fuzz } from "../fuzz/target.ts";

await fuzz(
  {
    name: "held",
    captures: [Buffer.from("harmless text")],
    check: (input) => {
      while (input.includes(0));
    },
  },
  { seed: 1, ms: 60_000, heldMsMax: 300 },
);
