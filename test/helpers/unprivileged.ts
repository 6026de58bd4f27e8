/**
 * Runs `run` as a user whom file modes bind, so that tests of permissions mean the same for root, as in a container.
 * It must be synchronous: the whole process is that user meanwhile.
 */
export function unprivileged<T>(run: () => T): T {
  if (process.geteuid?.() !== 0) return run();
  process.seteuid?.(NOBODY);
  try {
    return run();
  } finally {
    process.seteuid?.(0);
  }
}

const NOBODY = 65_534;
