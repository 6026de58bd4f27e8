import { useState } from "preact/hooks";
import { type Session, signIn } from "../session.ts";

interface SignInProps {
  readonly why: string | null;
  readonly signedIn: (session: Session) => void;
}

export function SignIn({ why, signedIn }: SignInProps) {
  const [fault, setFault] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    setFault(null);
    try {
      signedIn(await signIn(String(form.get("login")), String(form.get("password"))));
    } catch (error) {
      setFault(error instanceof TypeError ? "The gateway can't be reached." : (error as Error).message);
      setBusy(false);
    }
  };
  return (
    <main class="gate">
      <img src="/admin/mark.svg" alt="" width="48" height="48" />
      <h1>Streamkeeper</h1>
      {why !== null && <p>{why}</p>}
      <form onSubmit={submit} aria-label="Sign in">
        <label>
          User
          <input name="login" autocomplete="username" required autoFocus maxLength={64} />
        </label>
        <label>
          Password
          <input name="password" type="password" autocomplete="current-password" required maxLength={1024} />
        </label>
        <p role="alert" class="fault">
          {fault}
        </p>
        <button type="submit" class="primary" disabled={isBusy}>
          {isBusy ? "Signing in …" : "Sign in"}
        </button>
      </form>
    </main>
  );
}
