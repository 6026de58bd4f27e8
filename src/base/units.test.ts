import assert from "node:assert/strict";
import { test } from "node:test";
import { formatBytes, formatDurationMs, parseBytes, parseDurationMs } from "./units.ts";

test("units: sizes are read in decimal and binary units and as plain bytes", () => {
  const readings: [string, number | null][] = [
    ["64KiB", 65536],
    ["1.5 MB", 1_500_000],
    ["4096", 4096],
    ["0", 0],
    ["1GiB", 2 ** 30],
    ["10kb", null],
    ["-1KiB", null],
    ["1e3", null],
    ["", null],
    ["MiB", null],
  ];
  for (const [text, bytes] of readings) assert.equal(parseBytes(text), bytes, text);
});

test("units: durations need a unit, and may have several", () => {
  const readings: [string, number | null][] = [
    ["250ms", 250],
    ["30s", 30_000],
    ["15m", 900_000],
    ["1h30m", 5_400_000],
    ["0.5s", 500],
    ["30d", 2_592_000_000],
    ["30", null],
    ["", null],
    ["fast", null],
    ["5s later", null],
    ["-5s", null],
  ];
  for (const [text, ms] of readings) assert.equal(parseDurationMs(text), ms, text);
});

test("units: what is formatted reads back as the same", () => {
  for (const bytes of [1, 1000, 1024, 65536, 2 ** 20, 2 ** 20 + 1])
    assert.equal(parseBytes(formatBytes(bytes)), bytes);
  for (const ms of [1, 250, 1000, 90_000, 900_000, 86_400_000])
    assert.equal(parseDurationMs(formatDurationMs(ms)), ms);
  assert.equal(formatBytes(65536), "64KiB");
  assert.equal(formatDurationMs(900_000), "15m");
});
