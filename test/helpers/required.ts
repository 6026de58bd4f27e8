/**
 * What a test needs beside the project's own packages. Without it the test is skipped, in one line that says so;
 * where `STREAMKEEPER_TEST_REQUIRE` is set, as in continuous integration, it runs all the same, and fails.
 *
 * @returns the value of a test's `skip`
 */
export function required(what: string, isThere: boolean): string | false {
  if (isThere || process.env.STREAMKEEPER_TEST_REQUIRE === "1") return false;
  return `${what} is not installed here`;
}
