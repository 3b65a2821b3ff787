// An OpenID provider for the tests: npm oidc-provider with a plain login form
// instead of its development pages, and a second listener through which a test
// changes it while it runs.
//
// It reads one line of JSON from standard input, prints "READY {...}" with the
// addresses it serves on, and ends when standard input is closed.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { createInterface } from 'node:readline';

import { exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose';
import Provider from 'oidc-provider';

const scopes = {
  openid: ['sub'],
  profile: ['name', 'preferred_username'],
  email: ['email', 'email_verified'],
  groups: ['groups'],
};

/** What the running provider is made of; each change builds it anew. */
const state = { settings: null, issuer: '', keys: [], tamper: {}, provider: null, handler: null };

async function newKey() {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: randomUUID(), alg: 'RS256', use: 'sig' };
}

function accountByID(id) {
  return state.settings.accounts.find((a) => a.sub === id);
}

async function findAccount(ctx, id) {
  const account = accountByID(id);
  if (!account) return undefined;
  const { password, login, ...claims } = account;
  return { accountId: id, claims: async () => ({ ...claims, email_verified: true }) };
}

/** Everything a client asks for is granted: there is no consent page. */
async function grantAll(ctx) {
  const { oidc } = ctx;
  const grantID = oidc.session.grantIdFor(oidc.client.clientId);
  const grant = (grantID && (await oidc.provider.Grant.find(grantID)))
    || new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
  grant.addOIDCScope([...Object.keys(scopes), 'offline_access'].join(' '));
  await grant.save();
  return grant;
}

function configuration() {
  const s = state.settings;
  return {
    clients: [{
      client_id: s.clientID,
      client_secret: s.clientSecret,
      redirect_uris: s.redirectURIs,
      post_logout_redirect_uris: s.postLogoutRedirectURIs,
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    }],
    claims: scopes,
    conformIdTokenClaims: s.claimsOnlyInUserInfo,
    cookies: { keys: ['only-for-tests'] },
    features: { devInteractions: { enabled: false } },
    findAccount,
    interactions: { url: (ctx, interaction) => `/login/${interaction.uid}` },
    jwks: { keys: state.keys },
    loadExistingGrant: grantAll,
    pkce: { required: () => true },
    ttl: {
      AccessToken: 600, AuthorizationCode: 60, Grant: 3600, IdToken: 600,
      Interaction: 600, RefreshToken: 3600, Session: 3600,
    },
  };
}

function rebuild() {
  const provider = new Provider(state.issuer, configuration());
  provider.use(async (ctx, next) => {
    await next();
    await spoil(ctx);
  });
  state.provider = provider;
  state.handler = provider.callback();
}

/** Replaces what a test wants to be wrong in an answer. */
async function spoil(ctx) {
  const { tamper } = state;
  if (ctx.status !== 200 || typeof ctx.body !== 'object') return;
  switch (ctx.oidc?.route) {
    case 'discovery':
      ctx.body = { ...ctx.body, ...tamper.discovery };
      break;
    case 'userinfo':
      ctx.body = { ...ctx.body, ...tamper.userInfo };
      break;
    case 'token':
      if (ctx.body.id_token && (tamper.claims || tamper.alg || tamper.wrongKey)) {
        ctx.body = { ...ctx.body, id_token: await spoilToken(ctx.body.id_token) };
      }
      break;
    default:
  }
}

async function spoilToken(token) {
  const { tamper } = state;
  const decode = (part) => JSON.parse(Buffer.from(part, 'base64url').toString());
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const [head, body] = token.split('.').map((part, i) => (i < 2 ? decode(part) : part));
  const claims = { ...body, ...tamper.claims };
  for (const [name, value] of Object.entries(claims)) {
    if (value === null) delete claims[name];
  }
  if (tamper.alg === 'none') {
    return `${encode({ ...head, alg: 'none' })}.${encode(claims)}.`;
  }
  if (tamper.alg === 'HS256') {
    const secret = new TextEncoder().encode(state.settings.clientSecret);
    return new SignJWT(claims).setProtectedHeader({ ...head, alg: 'HS256' }).sign(secret);
  }
  const key = tamper.wrongKey ? await newKey() : state.keys[0];
  return new SignJWT(claims).setProtectedHeader(head).sign(await importJWK(key, 'RS256'));
}

function loginPage(uid, message) {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sign in - test provider</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><main><h1>Test provider</h1>${message ? `<p role="alert">${message}</p>` : ''}
<form method="post" action="/login/${encodeURIComponent(uid)}">
<p><label>Login <input name="login" autocomplete="username" required></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>
<p><button type="submit">Sign in</button></p>
</form></main></body></html>`;
}

async function readBody(req) {
  let body = '';
  for await (const chunk of req) body += chunk;
  return body;
}

async function login(req, res) {
  const { uid } = await state.provider.interactionDetails(req, res);
  const page = (status, message) => {
    res.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
    res.end(loginPage(uid, message));
  };
  if (req.method !== 'POST') return page(200);
  const form = new URLSearchParams(await readBody(req));
  const account = state.settings.accounts.find((a) => a.login === form.get('login'));
  if (!account || account.password !== form.get('password')) {
    return page(401, 'Wrong login or password.');
  }
  return state.provider.interactionFinished(req, res, { login: { accountId: account.sub } });
}

function serve(req, res) {
  if (!req.url.startsWith('/login/')) return state.handler(req, res);
  return login(req, res).catch((err) => {
    res.writeHead(400, { 'content-type': 'text/plain' });
    res.end(`${err.name}: ${err.message}\n`);
  });
}

/** One change per request: {rotate}, {tamper} or {redirectURIs}. */
async function control(req, res) {
  const change = JSON.parse(await readBody(req));
  if (change.rotate) {
    const keep = change.rotate.keepOld ? state.keys : [];
    state.keys = [await newKey(), ...keep];
  }
  if (change.tamper) state.tamper = change.tamper;
  if (change.redirectURIs) state.settings.redirectURIs = change.redirectURIs;
  rebuild();
  res.end('done\n');
}

function listen(server) {
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(server.address().port));
  });
}

async function main(settings) {
  state.settings = settings;
  const tls = settings.certFile && {
    cert: readFileSync(settings.certFile), key: readFileSync(settings.keyFile),
  };
  const port = await listen(tls ? https.createServer(tls, serve) : http.createServer(serve));
  state.issuer = `${tls ? 'https' : 'http'}://${settings.host}:${port}`;
  state.keys = [await newKey()];
  rebuild();
  const controlPort = await listen(http.createServer((req, res) => {
    control(req, res).catch((err) => { res.writeHead(400); res.end(`${err.message}\n`); });
  }));
  console.log(`READY ${JSON.stringify({ issuer: state.issuer, control: `http://127.0.0.1:${controlPort}` })}`);
}

const lines = createInterface({ input: process.stdin });
lines.once('line', (line) => {
  main(JSON.parse(line)).catch((err) => { console.error(err); process.exit(1); });
});
lines.once('close', () => process.exit(0));
