import { useTheme } from "./theme.ts";

interface NavProps {
  readonly here: string;
  readonly pages: readonly { readonly name: string; readonly title: string }[];
  readonly user: string;
  readonly leave: () => void;
}

export function Nav({ here, pages, user, leave }: NavProps) {
  const { theme, toggle } = useTheme();
  return (
    <header class="nav">
      <a class="brand" href="#/overview">
        <img src="/admin/mark.svg" alt="" width="26" height="26" />
        <span>Streamkeeper</span>
      </a>
      <nav aria-label="Pages">
        <ul>
          {pages.map(({ name, title }) => (
            <li key={name}>
              <a href={`#/${name}`} {...(name === here ? { "aria-current": "page" as const } : {})}>
                {title}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <div class="who">
        <button
          type="button"
          class="plain"
          onClick={toggle}
          aria-label={`Switch to ${theme === "dark" ? "light" : "dark"} colours`}
        >
          {theme === "dark" ? "☀" : "☾"}
        </button>
        <span class="user" title="signed in as">
          {user}
        </span>
        <button type="button" class="plain" onClick={leave}>
          Sign out
        </button>
      </div>
    </header>
  );
}
