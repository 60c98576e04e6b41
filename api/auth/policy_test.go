package auth_test

import (
	"slices"
	"strings"
	"testing"

	"bihuan/api/auth"
	"bihuan/engine"
	"bihuan/engine/message"
)

// Line 3.
func TestPolicy(t *testing.T) {
	site := auth.Policy{Words: []string{"江南大学", "JNU"}}
	for _, tt := range []struct {
		name, password string
		policy         auth.Policy
		want           string // key, "" for good enough
	}{
		{"a sentence", "图书馆的灯又坏了", site, ""},
		{"long enough", "lk3v7qpe", site, ""},
		{"spaces count", "ab cd ef", site, ""},
		{"seven", "lk3v7qp", site, "password.too_short"},
		{"seven Chinese characters of 21 bytes", "图书馆的灯坏了", site, "password.too_short"},
		{"nothing", "", site, "password.too_short"},
		{"128", strings.Repeat("lk3v7qpe", 16), site, ""},
		{"129", strings.Repeat("lk3v7qpe", 16) + "x", site, "password.too_long"},
		{"128 Chinese characters", strings.Repeat("图书馆的灯又坏了", 16), site, ""},
		{"not text", "lk3v7\xffqpe", site, "field.not_text"},
		{"a control character", "lk3v7\x00qpe", site, "field.not_text"},
		{"common", "password123", site, "password.common"},
		{"common in capitals", "PassWord123", site, "password.common"},
		{"common as an input method writes it", "ｐａｓｓｗｏｒｄ１２３", site, "password.common"},
		{"a common word with a year", "Welcome2031!", site, "password.common"},
		{"a habit", "woaini1314", site, "password.common"},
		{"a habit with signs around", "#zhangsan#88", site, "password.common"},
		{"a Chinese one", "我爱中国12345", site, "password.common"},
		{"a birthday", "19870412", site, "password.digits"},
		{"a telephone", "13912345670", site, "password.digits"},
		{"repeated", "abababab", site, "password.monotonous"},
		{"the alphabet", "hijklmno", site, "password.monotonous"},
		{"a row backwards", "poiuytre", site, "password.monotonous"},
		{"a row with a year", "asdfghj2026", site, "password.monotonous"},
		{"the login", "wangxiaoer!", site, "password.own_word"},
		{"with the login in it", "mein-WangXiaoer-7", site, "password.own_word"},
		{"the name", "王晓二王晓二7x", site, "password.own_word"},
		{"the product", "bihuan-7qpe", site, "password.own_word"},
		{"the product in Chinese", "我们的闭环系统吧", site, "password.own_word"},
		{"the site", "江南大学第一支部", site, "password.own_word"},
		{"a short word of the site with digits", "jnu123456", site, "password.own_word"},
		{"a short word by chance", "xkjnu7qpe", site, ""},
		{"mlps: two classes", "lk3v7qpe", auth.MLPS, "password.classes"},
		{"mlps: three", "lk3v7qPe", auth.MLPS, ""},
		{"mlps: letters, digits and signs", "lk3v-7qpe", auth.MLPS, ""},
		{"mlps: Chinese with letters and digits", "图书馆的灯亮了a7", auth.MLPS, ""},
		{"mlps: Chinese alone", "图书馆的灯又坏了", auth.MLPS, "password.classes"},
		{"mlps: common in four classes", "P@ssw0rd", auth.MLPS, "password.common"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.policy.Check(tt.password, "wangxiaoer", "王晓二")
			if key(err) != tt.want {
				t.Fatalf("%v, want %q", err, tt.want)
			}
			if err == nil {
				return
			}
			if e := err.(*engine.Error); e.Kind != engine.Invalid || e.Field != "password" || !message.Has(e.Key) {
				t.Errorf("error %+v", e)
			}
			if len(tt.password) > 3 && strings.Contains(err.Error(), tt.password) {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
	if auth.Profiles["mlps"].Classes != auth.MLPS.Classes || auth.Profiles["mlps"].MaxAge == 0 || auth.Profiles["standard"].Classes != 0 {
		t.Error("the profiles are not what their names say")
	}
}

// What stands in the list is refused, or is the word that longer ones are refused for.
func TestCommonPasswords(t *testing.T) {
	var seen []string
	for line := range strings.Lines(auth.CommonText) {
		word := strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(word, "#") {
			continue
		}
		if word != strings.ToLower(word) || word != strings.TrimSpace(word) || slices.Contains(seen, word) {
			t.Errorf("%q is not in lower case, has spaces around it or stands there twice", word)
		}
		seen = append(seen, word)
		if len([]rune(word)) < 8 {
			word += "12345678"
		}
		if err := auth.Standard.Check(word, "", ""); err == nil {
			t.Errorf("%q is accepted", word)
		}
	}
	if len(seen) < 300 {
		t.Errorf("only %d passwords are common", len(seen))
	}
}

// Line 3: every character counts, up to the last.
func TestNothingIsCutOff(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.people("zhang")
		long := strings.Repeat("lk3v7qpe", 16) // 128
		cookie, err := h.door.ChangePassword(t.Context(), h.in("zhang"), right, long)
		h.must(err)
		if !h.holds(cookie) {
			t.Error("the new session does not hold")
		}
		for _, tt := range []struct{ name, password, want string }{
			{"as it is", long, ""}, {"another last character", long[:127] + "x", "sign_in.wrong"}, {"without the last", long[:127], "sign_in.wrong"},
			{"with one more", long + "x", "sign_in.wrong"}, {"full width", strings.Replace(long, "lk3v", "ｌｋ３ｖ", 1), ""},
		} {
			if _, _, err := h.door.SignIn(t.Context(), "zhang", tt.password, "10.0.0.1"); key(err) != tt.want || (tt.want == "") != (err == nil) {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
			}
		}
	})
}

func TestGenerate(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		p := auth.Generate()
		if seen[p] || len(p) != 19 {
			t.Fatalf("%q comes twice or has not 16 characters and 3 dashes", p)
		}
		seen[p] = true
		if err := auth.MLPS.Check(p, "zhang", "张三"); err != nil {
			t.Errorf("%q: %v", p, err)
		}
	}
}
