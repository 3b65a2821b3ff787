// Package oidc signs people in at an OpenID provider: authorization code flow
// with PKCE (RFC 7636), state and nonce, and every check of the ID token that
// OpenID Connect Core 1.0, section 3.1.3.7 asks for.
//
// Nothing is fetched before somebody signs in or the provider is probed, so the
// gateway starts while the provider is away. No redirect of the provider's
// servers is followed, and each of their answers is bounded in size and time.
//
// Distributed and aggregated claims are ignored: a list of groups that the
// provider keeps elsewhere is an empty one here.
package oidc
