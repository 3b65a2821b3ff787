// Package proxy is the enforcement point: it cleans a request, finds its route
// and session, asks for the decision, and forwards what is allowed with signed
// identity headers.
package proxy
