import { useEffect, useState } from "preact/hooks";

export type Theme = "light" | "dark";

const KEY = "streamkeeper.theme";
const DARK = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

function current(): Theme {
  const chosen = localStorage.getItem(KEY);
  if (chosen === "light" || chosen === "dark") return chosen;
  return DARK.matches ? "dark" : "light";
}

function apply(): void {
  document.documentElement.dataset.theme = current();
  for (const listener of listeners) listener();
}

apply();
DARK.addEventListener("change", apply);

/** The system's colours, until one chooses others. */
export function useTheme(): { readonly theme: Theme; readonly toggle: () => void } {
  const [theme, setTheme] = useState(current);
  useEffect(() => {
    const changed = () => setTheme(current());
    listeners.add(changed);
    return () => void listeners.delete(changed);
  }, []);
  const toggle = () => {
    localStorage.setItem(KEY, current() === "dark" ? "light" : "dark");
    apply();
  };
  return { theme, toggle };
}

/** A colour of the theme in force. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
