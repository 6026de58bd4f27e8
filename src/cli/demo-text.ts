/** The demo's configuration, as one would write it. */
export function demoConfig(feedUrl: string, port: number): string {
  return `
listen: { host: 127.0.0.1, port: ${port} }
database: "sqlite::memory:"
auth:
  roles:
    trader: { subscribe: [/quotes/*, /chat/*], publish: [/chat/*], admin: true }
feeds:
  quotes:
    url: ${feedUrl}
    topic: /quotes/{key}
    key: /symbol
    state: merge
    pool: { linger: 10s }
limits: { connections: 1000 }
`;
}

/** What to open and what to try. Prose stands in shell comments and commands at the margin: all of it can be pasted. */
export function demoGuide(url: string, command: string, node: string): string {
  const socket = url.replace(/^http/, "ws");
  return `
# Streamkeeper's demo is running at ${url}
# A feed server in a second process replays recorded prices of AAPL, AMZN, GOOG, IBM and MSFT, and resets the
# connection now and then: watch it heal on the dashboard. Ctrl-C ends the demo.
#
# Open ${url}/admin/ and sign in as demo, password demo. Or in another terminal, in this directory:

# Follow a quote by SSE, signed in as demo:
TOKEN=$(curl -s ${url}/auth/login -d login=demo -d password=demo | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
curl -N -H "Authorization: Bearer $TOKEN" '${url}/.well-known/mercure?match=/quotes/AAPL'

# The same by WebSocket:
${node} - <<'JS'
const socket = new WebSocket("${socket}/connection/websocket", "centrifuge-json");
const send = (command) => socket.send(JSON.stringify(command));
socket.onopen = () => send({ id: 1, connect: { data: { login: "demo", password: "demo" } } });
socket.onmessage = ({ data }) => {
  for (const reply of data.split("\\n").map((line) => JSON.parse(line))) {
    if (reply.id === 1) send({ id: 2, subscribe: { channel: "/quotes/AAPL" } });
    if (Object.keys(reply).length === 0) send({}); // a ping is answered
    else console.log(JSON.stringify(reply.push?.pub.data ?? reply));
  }
};
JS

# Test the sign-in; test the connection step by step, a forced break and its resume included:
echo demo | ${command} login --url ${url} --user demo --password-stdin
echo demo | ${command} check --url ${url} --user demo --password-stdin --topic /quotes/AAPL

`;
}
