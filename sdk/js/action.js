/** Actions: something is done outside when a rollout is rolled back. */
import { send as sendRaw } from 'tollgate:plugin/outbound@0.1.0';
import { Failure, guarded, parse } from './index.js';

export { Failure, log } from './index.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The action did it; the text says what, for the ledger. */
export const done = (text) => ({ tag: 'done', val: text });
/** There was nothing to do; the text says why. */
export const skipped = (text) => ({ tag: 'skipped', val: text });

const LATER = ['unreachable', 'timed-out'];

/**
 * Sends one request to a granted target. A refusal is thrown as a `Failure`
 * whose code it is; `body` may be text, bytes, or anything to be sent as JSON.
 */
export function send({ target, method = 'post', path = '/', headers = {}, body = '' }) {
  const given = Object.entries(headers).map(([name, value]) => ({ name: name.toLowerCase(), value: String(value) }));
  let bytes = body;
  if (typeof body === 'string') {
    bytes = encoder.encode(body);
  } else if (!(body instanceof Uint8Array)) {
    bytes = encoder.encode(JSON.stringify(body));
    if (!given.some(({ name }) => name === 'content-type')) {
      given.push({ name: 'content-type', value: 'application/json' });
    }
  }
  let response;
  try {
    response = sendRaw({ target, method, path, headers: given, body: bytes });
  } catch (error) {
    const refusal = error?.payload;
    if (typeof refusal !== 'string') throw error;
    throw Failure.upstream(refusal, `${target} refused: ${refusal}`, { retryable: LATER.includes(refusal) });
  }
  const text = () => decoder.decode(response.body);
  return {
    status: response.status,
    ok: response.status >= 200 && response.status < 300,
    headers: Object.fromEntries(response.headers.map(({ name, value }) => [name, value])),
    body: response.body,
    text,
    json: () => JSON.parse(text()),
  };
}

/**
 * Makes a class a plugin: `export const rollback = action(Mine)`. Its
 * constructor gets the settings; `run(event)` answers `done` or `skipped`.
 */
export function action(Plugin) {
  let plugin;
  return {
    configure: (settings) =>
      guarded(() => {
        plugin = new Plugin(parse(settings));
      }),
    run: (event) => guarded(() => plugin.run({ ...event, at: Number(event.at) })),
  };
}
