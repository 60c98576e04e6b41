package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests must not depend on the machine's zones

	"github.com/google/go-cmp/cmp"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"
	"pgregory.net/rapid"
)

func lookup(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// with returns the defaults after one change.
func with(change func(*Config)) Config {
	c := Default()
	change(&c)
	return c
}

func TestLoad(t *testing.T) {
	secret := write(t, "secret", "postgres://u:p@db:5432/b\n")
	folder := t.TempDir()
	tests := []struct {
		name  string
		file  string
		env   map[string]string
		flags map[string]any
		want  Config
	}{
		{name: "nothing gives the defaults", want: Default()},
		{name: "a file of comments gives the defaults", file: "# db: x\n", want: Default()},
		{name: "a section of comments gives the defaults", file: "log:\n  # level: x\n", want: Default()},
		{
			name: "file over defaults", file: "addr: 127.0.0.1:1\nlog: {level: warn}\n",
			want: with(func(c *Config) { c.Addr, c.Log.Level = "127.0.0.1:1", "warn" }),
		},
		{
			name: "environment over file", file: "addr: 127.0.0.1:1\nlanguage: en\n",
			env:  map[string]string{"BIHUAN_ADDR": "127.0.0.1:2"},
			want: with(func(c *Config) { c.Addr, c.Language = "127.0.0.1:2", "en" }),
		},
		{
			name: "flags over environment", file: "addr: 127.0.0.1:1\n",
			env:   map[string]string{"BIHUAN_ADDR": "127.0.0.1:2"},
			flags: map[string]any{"addr": "127.0.0.1:3"},
			want:  with(func(c *Config) { c.Addr = "127.0.0.1:3" }),
		},
		{
			name: "an empty variable is unset", file: "addr: 127.0.0.1:1\n", env: map[string]string{"BIHUAN_ADDR": ""},
			want: with(func(c *Config) { c.Addr = "127.0.0.1:1" }),
		},
		{
			name: "nested names with one and with two underscores",
			env: map[string]string{
				"BIHUAN_METRICS_ADDR": "off", "BIHUAN_LOG__LEVEL": "debug", "BIHUAN_CLOCK__REMIND_AT": "08:30",
			},
			want: with(func(c *Config) { c.Metrics.Addr, c.Log.Level, c.Clock.RemindAt = "off", "debug", "08:30" }),
		},
		{
			name: "a secret from a file", env: map[string]string{"BIHUAN_DB_FILE": secret},
			want: with(func(c *Config) { c.DB = "postgres://u:p@db:5432/b" }),
		},
		{
			name: "every kind from the file",
			file: "migrate: false\nlimits: {body: 512KiB, upload: 2mb, rate: 2.5}\ntimeouts:\n  read: 1m30s\n" +
				"clock: {remind_at: 09:05, sweep: '*/5 8-18 * * 1-5'}\nmetrics: {addr: ''}\nworkflows: " + folder + "\n",
			want: with(func(c *Config) {
				c.Migrate, c.Metrics.Addr, c.Workflows = false, "", folder
				c.Limits = Limits{Body: 512 << 10, Upload: 2 << 20, Rate: 2.5}
				c.Timeouts.Read = 90 * time.Second
				c.Clock = Clock{RemindAt: "09:05", Sweep: "*/5 8-18 * * 1-5"}
			}),
		},
		{
			name: "every kind from the environment",
			env: map[string]string{
				"BIHUAN_MIGRATE": "False", "BIHUAN_LIMITS_BODY": "4096", "BIHUAN_LIMITS_RATE": "0",
				"BIHUAN_TIMEOUTS_IDLE": "5s",
			},
			want: with(func(c *Config) {
				c.Migrate, c.Limits.Body, c.Limits.Rate, c.Timeouts.Idle = false, 4096, 0, 5*time.Second
			}),
		},
		{
			name:  "every kind from flags",
			flags: map[string]any{"migrate": false, "limits.upload": Bytes(3 << 20), "limits.rate": 7, "timeouts.idle": time.Second},
			want: with(func(c *Config) {
				c.Migrate, c.Limits.Upload, c.Limits.Rate, c.Timeouts.Idle = false, 3<<20, 7, time.Second
			}),
		},
		{
			name: "evidence lies beside the database", flags: map[string]any{"db": "sqlite:/var/lib/bihuan/b.db"},
			want: with(func(c *Config) {
				c.DB, c.Files, c.Signing = "sqlite:/var/lib/bihuan/b.db", filepath.Join("/var/lib/bihuan", "evidence"), filepath.Join("/var/lib/bihuan", "signing")
			}),
		},
		{
			name: "unless it is set", file: "files: /srv/evidence\nsigning: /srv/signing\n", flags: map[string]any{"db": "sqlite:/var/lib/bihuan/b.db"},
			want: with(func(c *Config) {
				c.DB, c.Files, c.Signing = "sqlite:/var/lib/bihuan/b.db", "/srv/evidence", "/srv/signing"
			}),
		},
		{
			name: "an anchor is read where it is used", file: "log: &l {level: &v debug}\nlanguage: en\n",
			want: with(func(c *Config) { c.Log.Level, c.Language = "debug", "en" }),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := ""
			if tt.file != "" {
				path = write(t, "bihuan.yaml", tt.file)
			}
			got, err := Load(path, lookup(tt.env), tt.flags)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// TestMistakes wants every mistake of a set-up, in order, with its place and without its secrets. FILE stands for
// the path of the file.
func TestMistakes(t *testing.T) {
	file := write(t, "some.txt", "")
	_, missing := os.ReadFile(file + ".no")
	tests := []struct {
		name string
		file string
		env  map[string]string
		fl   map[string]any
		want []string
	}{
		{name: "unknown key", file: "addr: 127.0.0.1:1\n\nworkers: 4\n", want: []string{`FILE:3: workers: there is no such key`}},
		{
			name: "misspelt key", file: "log:\n  lvel: info\n",
			want: []string{`FILE:2: log.lvel: there is no such key; is it log.level?`},
		},
		{
			name: "key outside its section", file: "remind_at: 09:00\n",
			want: []string{`FILE:1: remind_at: there is no such key; is it clock.remind_at?`},
		},
		{name: "duplicate key", file: "addr: 127.0.0.1:1\naddr: 127.0.0.1:2\n", want: []string{`FILE:2: addr: is already on line 1`}},
		{name: "no value", file: "db:\n", want: []string{`FILE:1: db: has no value; remove the line, or write "" for none`}},
		{name: "list for a value", file: "addr: [a, b]\n", want: []string{`FILE:1: addr: must be one value, not a list or a section`}},
		{name: "value for a section", file: "log: info\n", want: []string{`FILE:1: log: must be “name: value” lines`}},
		{name: "list for the whole", file: "- db\n", want: []string{`FILE:1: must be “name: value” lines`}},
		{name: "two documents", file: "language: en\n---\nlanguage: en\n", want: []string{`FILE:2: must hold one YAML document only`}},
		{name: "an alias of itself", file: "log: &l\n  level: *l\n", want: []string{`FILE:2: log.level: must be one value, not a list or a section`}},
		{name: "tab for indentation", file: "log:\n\tlevel: info\n", want: []string{`FILE:2: is not valid YAML: found character that cannot start any token`}},
		{name: "not a flag", file: "migrate: perhaps\n", want: []string{`FILE:1: migrate: must be true or false, not "perhaps"`}},
		{name: "not a duration", file: "timeouts:\n  read: 30\n", want: []string{`FILE:2: timeouts.read: must be a duration with its unit, such as 30s or 2m, not "30"`}},
		{name: "not a size", env: map[string]string{"BIHUAN_LIMITS_BODY": "1 furlong"}, want: []string{`BIHUAN_LIMITS_BODY: limits.body: must be a size, such as 512KiB or 1MiB, not "1 furlong"`}},
		{name: "not a number", fl: map[string]any{"limits.rate": "NaN"}, want: []string{`--limits-rate: limits.rate: must be a number, not "NaN"`}},
		{name: "unknown flag", fl: map[string]any{"colour": "red"}, want: []string{`--colour: colour: there is no such key`}},
		{
			name: "set twice", env: map[string]string{"BIHUAN_LOG_LEVEL": "info", "BIHUAN_LOG__LEVEL": "warn"},
			want: []string{`BIHUAN_LOG_LEVEL: log.level: is set twice: BIHUAN_LOG_LEVEL, BIHUAN_LOG__LEVEL`},
		},
		{
			name: "secret set twice", env: map[string]string{"BIHUAN_DB": "sqlite:x", "BIHUAN_DB_FILE": file},
			want: []string{
				`BIHUAN_DB: db: is set twice: BIHUAN_DB, BIHUAN_DB_FILE`,
				`BIHUAN_DB_FILE: db: must be sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE`,
			},
		},
		{
			name: "secret's file is missing", env: map[string]string{"BIHUAN_DB_FILE": file + ".no"},
			want: []string{`BIHUAN_DB_FILE: db: names a file that cannot be read: ` + missing.Error()},
		},
		{name: "database of another kind", file: "db: mysql://u:hunter2@h/d\n", want: []string{`FILE:1: db: must be sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE`}},
		{name: "sqlite without a path", file: "db: 'sqlite:'\n", want: []string{`FILE:1: db: the file's path is missing behind sqlite:`}},
		{name: "sqlite as an address", file: "db: sqlite://x.db\n", want: []string{`FILE:1: db: must be written sqlite:PATH, without //`}},
		{name: "postgres without a host", file: "db: postgres://u:hunter2@/d\n", want: []string{`FILE:1: db: the host is missing`}},
		{
			name: "postgres with a raw password", file: "db: postgres://u:hunter2/3@h/d\n",
			want: []string{`FILE:1: db: a host or port is wrong; write / ? # @ in a password as %2F %3F %23 %40`},
		},
		{name: "postgres parameters", file: "db: postgres://h/d?a=%zz\n", want: []string{`FILE:1: db: the parameters after ? are malformed`}},
		{name: "address without a port", file: "addr: localhost\n", want: []string{`FILE:1: addr: must be HOST:PORT, such as 127.0.0.1:8080, not "localhost"`}},
		{name: "port out of range", file: "metrics: {addr: ':65536'}\n", want: []string{`FILE:1: metrics.addr: must be HOST:PORT, such as 127.0.0.1:8080, not ":65536"`}},
		{name: "one address for two listeners", file: "metrics:\n  addr: 127.0.0.1:8080\n", want: []string{`FILE:2: metrics.addr: must differ from addr`}},
		{name: "public address", file: "public_url: bihuan.example\n", want: []string{`FILE:1: public_url: must be an address such as https://HOST, without account, parameters or #`}},
		{name: "time zone", file: "timezone: Asia/Peking\n", want: []string{`FILE:1: timezone: there is no time zone "Asia/Peking"; it must be a name such as Asia/Shanghai`}},
		{name: "the machine's own time zone", file: "timezone: Local\n", want: []string{`FILE:1: timezone: there is no time zone "Local"; it must be a name such as Asia/Shanghai`}},
		{name: "language", file: "language: fr\n", want: []string{`FILE:1: language: must be one of zh-CN, en, not "fr"`}},
		{name: "log", file: "log:\n  format: xml\n  level: loud\n", want: []string{
			`FILE:2: log.format: must be one of json, text, not "xml"`,
			`FILE:3: log.level: must be one of debug, info, warn, error, not "loud"`,
		}},
		{name: "empty folder of the key", file: "signing: ''\n", want: []string{`FILE:1: signing: must not be empty`}},
		{name: "empty evidence folder", file: "files: ''\n", want: []string{`FILE:1: files: must not be empty`}},
		{name: "missing folder", file: "workflows: no/such\n", want: []string{`FILE:1: workflows: "no/such" cannot be found`}},
		{name: "file for a folder", fl: map[string]any{"workflows": file}, want: []string{fmt.Sprintf(`--workflows: workflows: %q is not a folder`, file)}},
		{name: "missing calendar", file: "calendar: 2027.csv\n", want: []string{`FILE:1: calendar: "2027.csv" cannot be found`}},
		{name: "time of day", file: "clock: {remind_at: 9am}\n", want: []string{`FILE:1: clock.remind_at: must be a time of day as HH:MM, such as 09:00`}},
		{name: "time of day without its zero", file: "clock: {remind_at: 9:00}\n", want: []string{`FILE:1: clock.remind_at: must be a time of day as HH:MM, such as 09:00`}},
		{name: "limits", file: "limits:\n  body: 1\n  upload: 0\n  rate: -1\n", want: []string{
			`FILE:2: limits.body: must be at least 1KiB`,
			`FILE:3: limits.upload: must not be less than limits.body`,
			`FILE:4: limits.rate: must not be negative; 0 means no limit`,
		}},
		{name: "timeouts", file: "timeouts: {read: 0s, write: -1s, idle: 0s, shutdown: 0s}\n", want: []string{
			`FILE:1: timeouts.read: must be more than 0`, `FILE:1: timeouts.write: must be more than 0`,
			`FILE:1: timeouts.idle: must be more than 0`, `FILE:1: timeouts.shutdown: must be more than 0`,
		}},
		{
			name: "every layer at once", file: "language: fr\ncolour: red\n",
			env: map[string]string{"BIHUAN_TIMEOUTS_READ": "soon"}, fl: map[string]any{"addr": "nowhere"},
			want: []string{
				`FILE:1: language: must be one of zh-CN, en, not "fr"`,
				`FILE:2: colour: there is no such key`,
				`BIHUAN_TIMEOUTS_READ: timeouts.read: must be a duration with its unit, such as 30s or 2m, not "soon"`,
				`--addr: addr: must be HOST:PORT, such as 127.0.0.1:8080, not "nowhere"`,
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := ""
			if tt.file != "" {
				path = write(t, "bihuan.yaml", tt.file)
			}
			_, err := Load(path, lookup(tt.env), tt.fl)
			var got []string
			for _, m := range Mistakes(err) {
				sentence := m.Error()
				if path != "" {
					sentence = strings.ReplaceAll(sentence, path, "FILE")
				}
				got = append(got, sentence)
				if zh := m.In("zh-CN"); !strings.ContainsFunc(zh, func(r rune) bool { return r >= 0x4e00 && r <= 0x9fff }) {
					t.Errorf("not in Chinese: %s", zh)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password is in the message: %v", err)
			}
		})
	}
}

func TestMissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.yaml")
	_, err := Load(path, lookup(nil), nil)
	mistakes := Mistakes(fmt.Errorf("start: %w", err))
	if len(mistakes) != 1 || mistakes[0].Source != path || mistakes[0].Key != "" {
		t.Fatalf("got %v", err)
	}
	if Mistakes(nil) != nil || Mistakes(errors.New("other")) != nil {
		t.Error("found a mistake where there is none")
	}
}

func TestSchedule(t *testing.T) {
	tests := []struct {
		spec string
		good bool
	}{
		{"@every 1m", true},
		{"@every 24h", true},
		{"@hourly", true},
		{"*/5 8-18 * * MON-FRI", true},
		{"0 0 29 2 *", true}, // four years apart, but it comes
		{"", false},
		{"@every", false},
		{"@every 0s", false},
		{"@every -1m", false},
		{"@every 25h", false},
		{"0 0 30 2 *", false}, // never fires
		{"TZ=0", false},       // panics the parser
		{"CRON_TZ=UTC 0 0 * * *", false},
		{"0 0 * * * *", false},
		{"61 * * * *", false},
		{"@reboot", false},
	}
	for _, tt := range tests {
		t.Run(tt.spec, func(t *testing.T) {
			if why := checkSchedule(tt.spec); (why.en == "") != tt.good {
				t.Errorf("got %q, want good = %v", why.en, tt.good)
			}
		})
	}
}

// A specification is an operator's typing: whatever it is, it must give an answer.
func TestScheduleNeverPanics(t *testing.T) {
	piece := rapid.SampledFrom([]string{"TZ=", "CRON_TZ=", "0", "59", "*", "/", "-", ",", " ", "?", "@every ", "1m", "UTC", "JAN", "@", "L", "\t"})
	rapid.Check(t, func(t *rapid.T) {
		spec := strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "spec"), "")
		_ = checkSchedule(spec)
	})
}

func TestPostgres(t *testing.T) {
	tests := []struct {
		name, dsn, redacted string
		good                bool
	}{
		{"full", "postgres://u:hunter2@h:5432/d?sslmode=require", "postgres://u:xxxxx@h:5432/d?sslmode=require", true},
		{"other scheme", "postgresql://u:hunter2@h/d", "postgresql://u:xxxxx@h/d", true},
		{"no password", "postgres://u@h/d", "postgres://u@h/d", true},
		{"no user", "postgres://h/d", "postgres://h/d", true},
		{"standby", "postgres://u:hunter2@a:5432,b:5433/d", "postgres://u:xxxxx@a:5432,b:5433/d", true},
		{"IPv6", "postgres://u:hunter2@[::1]:5432/d", "postgres://u:xxxxx@[::1]:5432/d", true},
		{"IPv6 without a port", "postgres://u:hunter2@[::1]/d", "postgres://u:xxxxx@[::1]/d", true},
		{"socket", "postgres:///d?host=/run/postgresql", "postgres:///d?host=/run/postgresql", true},
		{"escaped password", "postgres://u:hunter2%2F%40@h/d", "postgres://u:xxxxx@h/d", true},
		{"@ in the password", "postgres://u:hunter2@3@h/d", "postgres://u:xxxxx@h/d", true},
		{"password as a parameter", "postgres://h/d?a=1&password=hunter2", "postgres://h/d?a=1&password=xxxxx", true},
		{"password as a disguised parameter", "postgres://h/d?sslp%61ssword=hunter2", "postgres://h/d?sslp%61ssword=xxxxx", true},
		{"/ in the password", "postgres://u:hunter2/3@h/d", "postgres://xxxxx", false},
		{"? in the password", "postgres://u:hunter2?3@h/d", "postgres://xxxxx", false},
		{"@ and ? in the password", "postgres://u:a@b?hunter2@h/d", "postgres://xxxxx", true},
		{"bad port", "postgres://u:hunter2@h:0/d", "postgres://u:xxxxx@h:0/d", false},
		{"empty host in a list", "postgres://u:hunter2@a,/d", "postgres://u:xxxxx@a,/d", false},
		{"other database", "mysql://u:hunter2@h/d", "xxxxx", false},
		{"nothing", "", "xxxxx", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var v validator
			v.db(tt.dsn)
			if (len(v) == 0) != tt.good {
				t.Errorf("got %v, want good = %v", join(v), tt.good)
			}
			if got := redactDB(tt.dsn); got != tt.redacted {
				t.Errorf("got %s, want %s", got, tt.redacted)
			}
		})
	}
}

// What "config check" prints is a file that gives the same set-up.
func TestRedactedLoads(t *testing.T) {
	want := with(func(c *Config) {
		c.Limits.Body, c.Limits.Rate, c.Clock.RemindAt, c.Language = 1536, 0.5, "23:59", "en"
		c.Timeouts.Read = 1500 * time.Millisecond
	})
	text := want.Redacted()
	got, err := Load(write(t, "bihuan.yaml", text), lookup(nil), nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}

	want.DB, want.SecretKey, want.OIDC.ClientSecret = "postgres://u:hunter2@h/d", "hunter2", "hunter2"
	if text := want.Redacted(); strings.Contains(text, "hunter2") || !strings.Contains(text, "u:xxxxx@h/d") {
		t.Errorf("got\n%s", text)
	}
}

// A key that is no key is a mistake that never repeats what was typed; networks are checked one by one.
func TestSecretsAndNetworks(t *testing.T) {
	good := strings.Repeat("A", 43) + "="
	for _, tt := range []struct {
		key, value string
		wrong      string // part of the mistake, "" for none
	}{
		{"secret_key", good, ""}, {"secret_key", good + "," + good, ""},
		{"secret_key", "hunter2", "32 bytes"}, {"secret_key", good + ",hunter2", "32 bytes"},
		{"notify.keep_days", "0", ""}, {"notify.keep_days", "180", ""}, {"notify.keep_days", "7", "at least 30"},
		{"notify.networks", "10.0.0.0/8, fd00::/8", ""}, {"notify.networks", "10.0.0.0/8,10.0.0.1", `"10.0.0.1"`},
	} {
		_, err := Load("", lookup(nil), map[string]any{tt.key: tt.value})
		switch {
		case tt.wrong == "" && err != nil:
			t.Errorf("%s %q: %v", tt.key, tt.value, err)
		case tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong) || strings.Contains(err.Error(), "hunter2")):
			t.Errorf("%s %q: %v, want %s", tt.key, tt.value, err, tt.wrong)
		}
	}
}

// One-time codes are asked of roles that there are, and only where seeds can be sealed.
func TestSecondFactorRoles(t *testing.T) {
	good := strings.Repeat("A", 43) + "="
	for _, tt := range []struct{ roles, key, wrong string }{
		{"", "", ""}, {"leader, admin security", good, ""}, {"leader", "", "needs a secret_key"}, {"leader,boss", good, `not "boss"`},
	} {
		c, err := Load("", lookup(map[string]string{"BIHUAN_SIGN_IN_SECOND_FACTOR": tt.roles, "BIHUAN_SECRET_KEY": tt.key}), nil)
		if tt.wrong == "" && err != nil || tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)) {
			t.Errorf("%q: %v, want %q", tt.roles, err, tt.wrong)
		}
		if tt.roles == "leader, admin security" && !slices.Equal(c.SignIn.Roles(), []string{"leader", "admin", "security"}) {
			t.Errorf("roles %v", c.SignIn.Roles())
		}
	}
}

func TestBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Bytes(rapid.Int64Min(0).Draw(t, "bytes"))
		got, err := parseBytes(want.String())
		if err != nil || got != want {
			t.Fatalf("%s: got %d, %v; want %d", want, got, err, want)
		}
	})
	for _, bad := range []string{"", "MiB", "-1", "1.5MiB", "1TiB", "9223372036854775807KiB", "1 0"} {
		if got, err := parseBytes(bad); err == nil {
			t.Errorf("%q: got %d, want an error", bad, got)
		}
	}
}

// No two keys may share a variable, and a secret must be a key.
func TestEnvNames(t *testing.T) {
	k := koanf.New(delim)
	if err := k.Load(structs.Provider(Default(), "yaml"), nil); err != nil {
		t.Fatal(err)
	}
	taken := map[string]string{}
	for _, key := range k.Keys() {
		for _, name := range EnvNames(key) {
			if other, twice := taken[name]; twice {
				t.Errorf("%s sets both %s and %s", name, other, key)
			}
			taken[name] = key
		}
	}
	for key := range maps.Keys(secrets) {
		if !slices.Contains(k.Keys(), key) {
			t.Errorf("secret %s is no key", key)
		}
	}
	if got, want := EnvNames("db"), []string{"BIHUAN_DB", "BIHUAN_DB_FILE"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
