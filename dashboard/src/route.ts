import { useEffect, useState } from "preact/hooks";

/** Where on the page one is, by the URL's hash: `#/connections?search=ann`. */
export interface Route {
  readonly page: string;
  readonly query: URLSearchParams;
}

export function useRoute(): Route {
  const [route, setRoute] = useState(readRoute);
  useEffect(() => {
    const changed = () => setRoute(readRoute());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}

function readRoute(): Route {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  return { page: path === "" ? "overview" : path, query: new URLSearchParams(query) };
}
