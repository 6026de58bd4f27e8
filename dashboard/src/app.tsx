import { useEffect, useState } from "preact/hooks";
import { Nav } from "./nav.tsx";
import { Connections } from "./pages/connections.tsx";
import { Errors } from "./pages/errors.tsx";
import { Feeds } from "./pages/feeds.tsx";
import { Gateway } from "./pages/gateway.tsx";
import { Overview } from "./pages/overview.tsx";
import { SignIn } from "./pages/sign-in.tsx";
import { TryIt } from "./pages/try-it.tsx";
import { Users } from "./pages/users.tsx";
import { useRoute } from "./route.ts";
import { restored, type Session, signOut, whenOver } from "./session.ts";

type Standing =
  | { readonly is: "asking" }
  | { readonly is: "out"; readonly why: string | null }
  | { readonly is: "in"; readonly session: Session };

/** The whole page: signed out, or one of its views. */
export function App() {
  const [standing, setStanding] = useState<Standing>({ is: "asking" });
  useEffect(() => {
    whenOver((why) => setStanding({ is: "out", why }));
    restored().then(
      (session) => setStanding(session === null ? { is: "out", why: null } : { is: "in", session }),
      () => setStanding({ is: "out", why: "The gateway can't be reached." }),
    );
  }, []);
  if (standing.is === "asking") return <p class="asking">Asking the gateway …</p>;
  if (standing.is === "out") {
    return <SignIn why={standing.why} signedIn={(session) => setStanding({ is: "in", session })} />;
  }
  const { session } = standing;
  const leave = () => {
    void signOut();
    setStanding({ is: "out", why: "You are signed out." });
  };
  if (!session.admin) return <NotForYou user={session.user} leave={leave} />;
  return <Signed session={session} leave={leave} />;
}

const PAGES = {
  overview: { title: "Overview", view: Overview },
  feeds: { title: "Feeds", view: Feeds },
  connections: { title: "Connections", view: Connections },
  errors: { title: "Errors", view: Errors },
  users: { title: "Users", view: Users },
  try: { title: "Try it", view: TryIt },
  gateway: { title: "Gateway", view: Gateway },
} as const;

function Signed({ session, leave }: { session: Session; leave: () => void }) {
  const route = useRoute();
  const key = route.page in PAGES ? (route.page as keyof typeof PAGES) : "overview";
  const { title, view: View } = PAGES[key];
  useEffect(() => {
    document.title = `${title} · Streamkeeper`;
  }, [title]);
  return (
    <div class="frame">
      <a class="skip" href="#main" onClick={skipToMain}>
        Skip to content
      </a>
      <Nav
        here={key}
        pages={Object.entries(PAGES).map(([name, page]) => ({ name, title: page.title }))}
        user={session.user}
        leave={leave}
      />
      <main id="main" tabIndex={-1}>
        <h1>{title}</h1>
        <View />
      </main>
    </div>
  );
}

/** The hash is the route, so the link must not change it. */
function skipToMain(event: MouseEvent): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function NotForYou({ user, leave }: { user: string; leave: () => void }) {
  return (
    <main class="gate">
      <h1>Not for you</h1>
      <p>
        You are signed in as {user}, whose role has no <code>admin: true</code>. Ask an administrator, or sign
        in as somebody else.
      </p>
      <button type="button" onClick={leave}>
        Sign out
      </button>
    </main>
  );
}
