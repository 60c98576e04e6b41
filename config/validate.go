package config

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// minKeep is the least number of days after which messages may be archived: so long somebody may want to replay one.
const minKeep = 30

// Validate returns every mistake at once, each as a *Mistake, or nil. It looks whether the folders that are only
// read exist, and at nothing else outside the value: databases and ports are tried by who uses them.
func (c Config) Validate() error {
	var v validator
	v.db(c.DB)
	v.listener("addr", c.Addr)
	if !c.Metrics.Off() {
		v.listener("metrics.addr", c.Metrics.Addr)
		if _, port, err := net.SplitHostPort(c.Addr); err == nil && port != "0" && c.Addr == c.Metrics.Addr {
			v.complain("metrics.addr", "不能与 addr 相同", "must differ from addr")
		}
	}
	v.publicURL(c.PublicURL)
	v.secretKey(c.SecretKey)
	v.secondFactor(c)
	v.ways(c)
	v.timezone(c.Timezone)
	v.oneOf("passwords", c.Passwords, "standard", "mlps")
	v.oneOf("language", c.Language, "zh-CN", "en")
	v.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", c.Log.Format, "json", "text")
	for _, folder := range []struct{ key, path string }{{"files", c.Files}, {"signing", c.Signing}} {
		if folder.path == "" {
			v.complain(folder.key, "不能为空", "must not be empty")
		}
	}
	v.exists("workflows", c.Workflows, true)
	v.exists("layouts", c.Layouts, true)
	v.exists("calendar", c.Calendar, false)
	if why := checkSchedule(c.Clock.Sweep); why.en != "" {
		v.complain("clock.sweep", why.zh, why.en)
	}
	if t, err := time.Parse("15:04", c.Clock.RemindAt); err != nil || t.Format("15:04") != c.Clock.RemindAt {
		v.complain("clock.remind_at", "应为 HH:MM 形式的时刻，例如 09:00", "must be a time of day as HH:MM, such as 09:00")
	}
	for network := range strings.FieldsFuncSeq(c.Notify.Networks, separator) {
		if _, err := netip.ParsePrefix(network); err != nil {
			v.complain("notify.networks", fmt.Sprintf("应为网段，例如 10.0.0.0/8，而不是 %q", network),
				fmt.Sprintf("must be networks such as 10.0.0.0/8, not %q", network))
		}
	}
	if d := c.Notify.KeepDays; d != 0 && d < minKeep {
		v.complain("notify.keep_days", fmt.Sprintf("不能小于 %d 天；0 表示从不归档", minKeep), fmt.Sprintf("must be at least %d; 0 for never", minKeep))
	}
	if c.Limits.Body < 1<<10 {
		v.complain("limits.body", "不能小于 1KiB", "must be at least 1KiB")
	}
	if c.Limits.Upload < c.Limits.Body {
		v.complain("limits.upload", "不能小于 limits.body", "must not be less than limits.body")
	}
	if c.Limits.Rate < 0 {
		v.complain("limits.rate", "不能为负数；0 表示不限", "must not be negative; 0 means no limit")
	}
	for _, t := range []struct {
		key string
		d   time.Duration
	}{
		{"timeouts.read", c.Timeouts.Read},
		{"timeouts.write", c.Timeouts.Write},
		{"timeouts.idle", c.Timeouts.Idle},
		{"timeouts.shutdown", c.Timeouts.Shutdown},
	} {
		if t.d <= 0 {
			v.complain(t.key, "必须大于 0", "must be more than 0")
		}
	}
	return join(v)
}

// Off reports whether there is to be no listener for metrics.
func (m Metrics) Off() bool { return m.Addr == "" || m.Addr == "off" }

type validator []*Mistake

func (v *validator) complain(key, zh, en string) {
	*v = append(*v, &Mistake{Key: key, zh: zh, en: en})
}

// db never repeats the value: it may hold a password, and a broken one cannot be told from the rest.
func (v *validator) db(dsn string) {
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		switch {
		case path == "":
			v.complain("db", "sqlite: 后面缺少文件路径", "the file's path is missing behind sqlite:")
		case strings.HasPrefix(path, "//"):
			v.complain("db", "应写作 sqlite:PATH，不带 //", "must be written sqlite:PATH, without //")
		}
		return
	}
	rest, ok := cutPostgres(dsn)
	if !ok {
		v.complain("db", "应为 sqlite:PATH 或 postgres://用户:密码@主机:端口/数据库",
			"must be sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE")
		return
	}
	if problem := checkPostgres(rest); problem.en != "" {
		v.complain("db", problem.zh, problem.en)
	}
}

func cutPostgres(dsn string) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(dsn, "postgres://"); ok {
		return rest, true
	}
	return strings.CutPrefix(dsn, "postgresql://")
}

// checkPostgres looks at what follows the scheme. It splits by hand because several hosts (a:1,b:2), which
// PostgreSQL allows, are no URL for net/url.
func checkPostgres(rest string) phrase {
	authority, _, query := splitPostgres(rest)
	hosts := authority[strings.LastIndexByte(authority, '@')+1:]
	params, err := url.ParseQuery(query)
	if err != nil {
		return phrase{"? 之后的参数写法有误", "the parameters after ? are malformed"}
	}
	if hosts == "" {
		if params.Get("host") == "" {
			return phrase{"缺少主机", "the host is missing"}
		}
		return phrase{}
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if host == "" {
			return phrase{"缺少主机", "the host is missing"}
		}
		bare := strings.HasSuffix(host, "]") || !strings.Contains(host, ":")
		if bare {
			continue
		}
		if name, port, err := net.SplitHostPort(host); err != nil || name == "" || !validPort(port, 1) {
			return phrase{"主机或端口有误；密码里的 / ? # @ 要写成 %2F %3F %23 %40",
				"a host or port is wrong; write / ? # @ in a password as %2F %3F %23 %40"}
		}
	}
	return phrase{}
}

// splitPostgres cuts USER:PASSWORD@HOSTS/DATABASE?QUERY at the first delimiters, as drivers do.
func splitPostgres(rest string) (authority, path, query string) {
	authority = rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	path, query, _ = strings.Cut(path, "?")
	return authority, path, query
}

// separator parts the members of a list that is written as one value.
func separator(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' }

// secretKey never repeats the value.
func (v *validator) secretKey(keys string) {
	for key := range strings.FieldsFuncSeq(keys, separator) {
		if b, err := base64.StdEncoding.DecodeString(key); err != nil || len(b) != 32 {
			v.complain("secret_key", "应为 32 字节的 Base64，可用 openssl rand -base64 32 生成", "must be 32 bytes in base64; make one with: openssl rand -base64 32")
			return
		}
	}
}

// roles are those that may be asked for one-time codes.
var roles = []string{"secretary", "supervisor", "leader", "inspector", "admin", "security"}

func (v *validator) secondFactor(c Config) {
	for _, role := range c.SignIn.Roles() {
		v.oneOf("sign_in.second_factor", role, roles...)
	}
	if len(c.SignIn.Roles()) > 0 && c.SecretKey == "" {
		v.complain("sign_in.second_factor", "需要先设置 secret_key", "needs a secret_key")
	}
}

func validPort(s string, lowest int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= lowest && n <= 65535
}

// listener accepts port 0, with which the system chooses a free one.
func (v *validator) listener(key, addr string) {
	if _, port, err := net.SplitHostPort(addr); err != nil || !validPort(port, 0) {
		v.complain(key, fmt.Sprintf("应为 主机:端口，例如 127.0.0.1:8080，而不是 %q", addr),
			fmt.Sprintf("must be HOST:PORT, such as 127.0.0.1:8080, not %q", addr))
	}
}

func (v *validator) publicURL(s string) {
	if s == "" {
		return
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		v.complain("public_url", "应为 http(s)://主机 形式的地址，不带账号、参数和 #",
			"must be an address such as https://HOST, without account, parameters or #")
	}
}

// timezone refuses Local and the empty name, which would make due days depend on the machine.
func (v *validator) timezone(name string) {
	if name != "" && name != "Local" {
		if _, err := time.LoadLocation(name); err == nil {
			return
		}
	}
	v.complain("timezone", fmt.Sprintf("没有 %q 这个时区；应为 Asia/Shanghai 这样的名称", name),
		fmt.Sprintf("there is no time zone %q; it must be a name such as Asia/Shanghai", name))
}

func (v *validator) oneOf(key, got string, allowed ...string) {
	if !slices.Contains(allowed, got) {
		v.complain(key, fmt.Sprintf("应为 %s 之一，而不是 %q", strings.Join(allowed, "、"), got),
			fmt.Sprintf("must be one of %s, not %q", strings.Join(allowed, ", "), got))
	}
}

func (v *validator) exists(key, path string, folder bool) {
	if path == "" {
		return
	}
	switch info, err := os.Stat(path); {
	case err != nil:
		v.complain(key, fmt.Sprintf("找不到 %q", path), fmt.Sprintf("%q cannot be found", path))
	case folder && !info.IsDir():
		v.complain(key, fmt.Sprintf("%q 不是文件夹", path), fmt.Sprintf("%q is not a folder", path))
	}
}

const longestSweep = 24 * time.Hour

// checkSchedule says what is wrong with a cron expression. The parser alone is not enough: it panics on "TZ=0",
// takes a negative @every for one second, and accepts days that never come.
func checkSchedule(spec string) (why phrase) {
	malformed := phrase{"应为五段 cron 表达式或 @every 时长，例如 */5 * * * * 或 @every 1m",
		"must be a cron expression of five fields or @every DURATION, such as */5 * * * * or @every 1m"}
	if strings.HasPrefix(spec, "TZ=") || strings.HasPrefix(spec, "CRON_TZ=") {
		return phrase{"时区由 timezone 决定，不能写在这里", "the time zone is set by timezone, not here"}
	}
	defer func() {
		if recover() != nil {
			why = malformed
		}
	}()
	if every, ok := strings.CutPrefix(spec, "@every "); ok {
		if d, err := time.ParseDuration(every); err == nil && (d < time.Second || d > longestSweep) {
			return phrase{"间隔应在 1 秒到 24 小时之间", "the interval must be between 1s and 24h"}
		}
	}
	schedule, err := cron.ParseStandard(spec)
	if err != nil {
		return malformed
	}
	// Next gives up after five years; the day before a leap day's year keeps 29 February within them.
	if schedule.Next(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return phrase{"这个时刻永远不会到来", "this moment never comes"}
	}
	return phrase{}
}
