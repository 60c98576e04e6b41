package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"bihuan/engine"
)

// mailer sends mail over SMTP, never without TLS.
type mailer struct {
	network Network
	timeout time.Duration
	roots   *x509.CertPool // nil: the system's
	from    string
	secret  engine.ChannelSecret
}

func (s *mailer) Send(ctx context.Context, m Message) (string, error) {
	host, portText, err := net.SplitHostPort(s.secret.Addr)
	if err != nil {
		return "", &Refusal{Why: "the mail server's address is malformed", Never: true}
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return "", &Refusal{Why: "the mail server's port is malformed", Never: true}
	}
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := msg.From(s.from); err != nil {
		return "", &Refusal{Why: "the sender's address is malformed", Never: true}
	}
	if err := msg.To(m.To); err != nil {
		return "", &Refusal{Why: "the recipient's address is malformed", Never: true}
	}
	// The name behind the @ is the sender's, so that the id stays the same when the server is replaced.
	at := strings.LastIndexByte(msg.GetFromString()[0], '@')
	msg.SetMessageIDWithValue(m.ID + strings.TrimRight(msg.GetFromString()[0][at:], "> "))
	msg.SetDateWithValue(m.At)
	msg.Subject(oneLine(m.Subject))
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // no out-of-office answers, please
	msg.SetBodyString(mail.TypeTextPlain, m.Text)

	options := []mail.Option{mail.WithPort(port), mail.WithTimeout(s.timeout), mail.WithTLSConfig(s.tls(host))}
	if s.secret.Security == "tls" {
		// The library takes a connection of ours for plain when told that it is TLS from the first byte; it looks for
		// itself when it may do without STARTTLS. Our dialer gives no other connection than one with TLS.
		options = append(options, mail.WithTLSPolicy(mail.TLSOpportunistic),
			mail.WithDialContextFunc((&tls.Dialer{NetDialer: s.network.dialer(), Config: s.tls(host)}).DialContext))
	} else {
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory), mail.WithDialContextFunc(s.network.dialer().DialContext))
	}
	if s.secret.User != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(s.secret.User), mail.WithPassword(s.secret.Password))
	}
	client, err := mail.NewClient(host, options...)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	// Once the server has taken the message it has it, however badly the rest of the conversation ends.
	if err := client.DialAndSendWithContext(ctx, msg); err != nil && !msg.IsDelivered() {
		return "", s.refusal(err)
	}
	return strings.TrimSpace("250 " + msg.ServerResponse()), nil
}

func (s *mailer) tls(host string) *tls.Config {
	return &tls.Config{ServerName: host, RootCAs: s.roots, MinVersion: tls.VersionTLS12}
}

// refusal tells a no for ever (5xx about the message) from one for now.
func (s *mailer) refusal(err error) error {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r
	}
	why := shown([]byte(err.Error()))
	if s.secret.Password != "" {
		why = strings.ReplaceAll(why, s.secret.Password, "…")
	}
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		return &Refusal{Why: why, Never: e.Code >= 550 && e.Code <= 559}
	}
	if e, ok := errors.AsType[*mail.SendError](err); ok {
		return &Refusal{Why: why, Never: e.ErrorCode() >= 550 && e.ErrorCode() <= 559}
	}
	return &Refusal{Why: why}
}

// oneLine takes line breaks out of a header.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\r' || r == '\n' || r == 0 }), " ")
}
