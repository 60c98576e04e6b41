// Package authtest runs identity systems for tests, on this machine: an OpenID provider of a library that others keep,
// and a CAS server that follows the published protocol.
package authtest
