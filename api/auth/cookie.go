package auth

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Names of the cookies. With the prefix __Host- a browser takes a cookie only over HTTPS, for the whole site and for
// no other host; over plain HTTP on this very machine it would not take it at all, so there the prefix is left out.
const (
	hostPrefix    = "__Host-"
	sessionCookie = "bihuan_session"
	deviceCookie  = "bihuan_device"
	flowCookie    = "bihuan_flow"
)

// Plain tells whether the request came over plain HTTP from this machine to this machine. Everything else must be
// HTTPS, be it by a proxy in front: then the Host is the public name.
func Plain(r *http.Request) bool {
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") || !loopback(r.RemoteAddr) {
		return false
	}
	return loopback(r.Host)
}

// loopback tells whether a host, with or without a port, is this machine.
func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.Unmap().IsLoopback()
}

func cookieName(r *http.Request, name string) string {
	if Plain(r) {
		return name
	}
	return hostPrefix + name
}

func setCookie(w http.ResponseWriter, r *http.Request, name, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{Name: cookieName(r, name), Value: value, Path: "/", MaxAge: seconds,
		HttpOnly: true, Secure: !Plain(r), SameSite: http.SameSiteLaxMode})
}

// SetCookie gives the browser a session, until it closes or the session ends, and with it what makes the browser
// known at the next sign-in.
func SetCookie(w http.ResponseWriter, r *http.Request, session string) {
	setCookie(w, r, sessionCookie, session, 0)
	setCookie(w, r, deviceCookie, Device(session), int(DeviceKnown.Seconds()))
}

// ClearCookie takes the session from the browser, which stays known.
func ClearCookie(w http.ResponseWriter, r *http.Request) { setCookie(w, r, sessionCookie, "", -1) }

// Cookie returns the session that the browser shows, "" for none. A cookie without the prefix, which anybody on the
// way could have planted, counts only where the prefix is impossible.
func Cookie(r *http.Request) string { return readCookie(r, sessionCookie) }

// KnownDevice returns what the browser shows of an earlier session's Device, for WithDevice; "" for nothing.
func KnownDevice(r *http.Request) string { return readCookie(r, deviceCookie) }

// SetFlow lets the browser keep what it needs when it comes back from an identity system; "" takes it away.
func SetFlow(w http.ResponseWriter, r *http.Request, flow string) {
	seconds := int(flowLife.Seconds())
	if flow == "" {
		seconds = -1
	}
	setCookie(w, r, flowCookie, flow, seconds)
}

// FlowOf returns what SetFlow let the browser keep.
func FlowOf(r *http.Request) string { return readCookie(r, flowCookie) }

func readCookie(r *http.Request, name string) string {
	list := r.CookiesNamed(cookieName(r, name))
	if len(list) != 1 { // two are a puzzle that nobody honest sets
		return ""
	}
	return list[0].Value
}
