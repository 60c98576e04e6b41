// Package config says how one bihuan process is set up: where its data is, where it listens, when its clock wakes.
//
// Values come from four layers, later ones winning: the defaults, a YAML file, the environment, the command line.
// What must always hold: a Config that Load returned without an error is usable as it stands, every mistake of
// every layer is reported in one go, an unknown key is a mistake, and no message or dump shows a password.
//
// In the file a key such as log.level is nested (log: {level: …}). In the environment it is BIHUAN_LOG_LEVEL or,
// with the nesting written out, BIHUAN_LOG__LEVEL. A secret may also be read from a file that the environment
// names: BIHUAN_DB_FILE. Relative paths are relative to the working directory of the process.
package config

import (
	"path/filepath"
	"strings"
	"time"
)

// Config is the whole set-up of one process. The yaml tags are the names of the keys in every layer.
type Config struct {
	// DB names the database: sqlite:PATH, or a postgres:// URL. It may hold a password: print Redacted instead.
	DB string `yaml:"db"`
	// Addr is the HOST:PORT that the API listens on.
	Addr string `yaml:"addr"`
	// Metrics is the listener for Prometheus, apart from the API so that it need not be public.
	Metrics Metrics `yaml:"metrics"`
	// PublicURL is what people type to reach the product, for links in messages; empty if there are none.
	PublicURL string `yaml:"public_url"`
	// Organisation is the name that stands beside the logo, and that nobody may use in a password; may be empty.
	Organisation string `yaml:"organisation"`
	// Board switches the public board on: what was promised and what has come of it, at /board, for everybody.
	Board bool `yaml:"board"`
	// Passwords is the profile that passwords must meet: standard, or mlps as assessors of 等级保护 ask for.
	Passwords string `yaml:"passwords"`
	SignIn    SignIn `yaml:"sign_in"`
	OIDC      OIDC   `yaml:"oidc"`
	CAS       CAS    `yaml:"cas"`
	// SecretKey encrypts what has to be stored and read back, such as passwords of mail servers: 32 bytes in base64.
	// Further keys behind the first, parted by commas, only open what they sealed before it; empty for none.
	SecretKey string `yaml:"secret_key"`
	// Timezone is the IANA name of the zone that days begin and end in.
	Timezone string `yaml:"timezone"`
	// Language of texts when the reader's own is unknown: zh-CN or en.
	Language string `yaml:"language"`
	Log      Log    `yaml:"log"`
	// Migrate lets serve bring the database to the program's schema before it starts.
	Migrate bool `yaml:"migrate"`
	// Files is the folder of the evidence; Load puts it beside an SQLite database unless it is set.
	Files string `yaml:"files"`
	// Signing is the folder of the key that signs checkpoints of the trail, and of what it signed last. It belongs
	// neither into the database nor into its backups; Load puts it beside an SQLite database unless it is set.
	Signing string `yaml:"signing"`
	// Workflows is the folder of the site's own definitions; empty for the embedded ones only.
	Workflows string `yaml:"workflows"`
	// Layouts is the folder of the site's own layouts for exports; empty for the embedded ones only.
	Layouts string `yaml:"layouts"`
	// Calendar is a CSV file, or a folder of them, with the working days of later years; empty for none.
	Calendar string   `yaml:"calendar"`
	Clock    Clock    `yaml:"clock"`
	Notify   Notify   `yaml:"notify"`
	Limits   Limits   `yaml:"limits"`
	Timeouts Timeouts `yaml:"timeouts"`
}

// Metrics says where Prometheus may read.
type Metrics struct {
	Addr string `yaml:"addr"` // HOST:PORT; empty or "off" for no listener
}

// Log says what is logged, and how.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // json or text
}

// Clock says when the product wakes up by itself. Both are read in Config.Timezone.
type Clock struct {
	Sweep    string `yaml:"sweep"`     // cron expression of five fields, or @every DURATION
	RemindAt string `yaml:"remind_at"` // HH:MM, the hour at which the day's reminders go out
}

// Notify says what messages may reach.
type Notify struct {
	// Networks are the private networks that mail servers and webhooks may lie in, such as 10.0.0.0/8, parted by
	// commas. Without them only public addresses are reached, so that nobody can make the product knock at doors
	// inside.
	Networks string `yaml:"networks"`
	// KeepDays is after how many days messages that came to an end move to the archive; 0 for never.
	KeepDays int `yaml:"keep_days"`
}

// SignIn says how people sign in.
type SignIn struct {
	// SecondFactor are the roles whose holders must sign in with one-time codes besides the password, parted by commas:
	// secretary, supervisor, leader, inspector, admin, security. Everybody may. It needs SecretKey.
	SecondFactor string `yaml:"second_factor"`
}

// Roles are those of SecondFactor.
func (s SignIn) Roles() []string { return strings.FieldsFunc(s.SecondFactor, separator) }

// Limits bound what one caller may ask of the process.
type Limits struct {
	Body   Bytes   `yaml:"body"`   // largest request body
	Upload Bytes   `yaml:"upload"` // largest uploaded file
	Rate   float64 `yaml:"rate"`   // requests a second for each principal; 0 for no limit
}

// Timeouts of the listeners.
type Timeouts struct {
	Read     time.Duration `yaml:"read"`     // for a whole request
	Write    time.Duration `yaml:"write"`    // for a whole answer
	Idle     time.Duration `yaml:"idle"`     // for a kept connection without a request
	Shutdown time.Duration `yaml:"shutdown"` // for what is under way when the process is told to stop
}

// Default returns the set-up that needs no file: one SQLite database in the working directory, loopback only.
func Default() Config {
	return Config{
		DB:        "sqlite:bihuan.db",
		Addr:      "127.0.0.1:8080",
		Metrics:   Metrics{Addr: "127.0.0.1:9090"},
		Passwords: "standard",
		OIDC:      OIDC{Scopes: "profile", Claims: Claims{Login: "preferred_username", Name: "name"}},
		CAS:       CAS{Claims: Claims{Login: "user", Name: "cn"}},
		Timezone:  "Asia/Shanghai",
		Language:  "zh-CN",
		Log:       Log{Level: "info", Format: "json"},
		Migrate:   true,
		Files:     "evidence",
		Signing:   "signing",
		Clock:     Clock{Sweep: "@every 1m", RemindAt: "09:00"},
		Notify:    Notify{KeepDays: 365},
		Limits:    Limits{Body: 1 << 20, Upload: 32 << 20, Rate: 50},
		Timeouts: Timeouts{
			Read:     30 * time.Second,
			Write:    60 * time.Second,
			Idle:     2 * time.Minute,
			Shutdown: 20 * time.Second,
		},
	}
}

// secrets are the keys whose value is never shown and may be read from a file of its own.
var secrets = map[string]bool{"db": true, "secret_key": true, "oidc.client_secret": true}

// besideDatabase is where a folder lies when nobody says otherwise: with an SQLite file, so that what belongs together
// is found together.
func besideDatabase(db, folder string) string {
	path, ok := strings.CutPrefix(db, "sqlite:")
	if !ok {
		return folder
	}
	return filepath.Join(filepath.Dir(path), folder)
}
