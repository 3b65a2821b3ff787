// Package upstream is the outgoing half of the proxy: a request goes in, the
// answer is streamed out. Transport, balancing, health, WebSockets.
package upstream
