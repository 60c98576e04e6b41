package browsertest

import (
	"bytes"
	"cmp"
	"context"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// shotsEnv names the folder for the pictures; without it none are taken.
const shotsEnv = "BIHUAN_SHOTS"

// maxPicture is the most that a picture of the README may weigh, in bytes.
const maxPicture = 150 << 10

// shots is the folder for the pictures.
func shots(t *testing.T) string {
	t.Helper()
	dir := os.Getenv(shotsEnv)
	if dir == "" {
		t.Skipf("pictures are taken by make shots")
	}
	return dir
}

// picture takes what is on the screen as a PNG.
func (p *person) picture() []byte {
	p.t.Helper()
	// A blinking cursor and what htmx still fetches have no place in it.
	p.eval(`document.activeElement && document.activeElement.blur()`, nil)
	p.until(`document.readyState === "complete" && !document.querySelector(".htmx-request")`)
	var raw []byte
	p.do(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		raw, err = page.CaptureScreenshot().WithFormat(page.CaptureScreenshotFormatPng).Do(ctx)
		return err
	}))
	return raw
}

// poster takes the whole page, on a screen that is as high as the page.
func (p *person) poster(s screen) []byte {
	p.t.Helper()
	p.look(s)
	var height int64
	p.eval(`document.scrollingElement.scrollHeight`, &height)
	p.look(screen{s.width, max(height, s.height)})
	return p.picture()
}

func keep(t *testing.T, dir, name string, picture []byte) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

// light is a picture of few colours, for the README.
func light(t *testing.T, picture []byte) []byte {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, few(img)); err != nil {
		t.Fatal(err)
	}
	if out.Len() > maxPicture {
		t.Errorf("a picture weighs %d bytes", out.Len())
	}
	return out.Bytes()
}

// few paints a picture of a page with 256 of its colours: the most frequent ones, but none beside one that is
// nearly the same as long as others are missing altogether.
func few(img image.Image) *image.Paletted {
	b := img.Bounds()
	seen := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(img.At(x, y)).(color.RGBA) }
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			seen[at(x, y)]++
		}
	}
	var all []color.RGBA
	for c := range seen {
		all = append(all, c)
	}
	slices.SortFunc(all, func(x, y color.RGBA) int {
		return cmp.Or(seen[y]-seen[x], cmp.Compare(x.R, y.R), cmp.Compare(x.G, y.G), cmp.Compare(x.B, y.B))
	})
	var colours color.Palette
	for _, apart := range []int{2000, 500, 100, 0} { // squares of distances
		for _, c := range all {
			if len(colours) < 256 && !slices.ContainsFunc(colours, func(k color.Color) bool { return distance(c, k.(color.RGBA)) <= apart }) {
				colours = append(colours, c)
			}
		}
	}
	nearest := make(map[color.RGBA]uint8, len(all))
	for _, c := range all {
		nearest[c] = uint8(colours.Index(c))
	}
	out := image.NewPaletted(b, colours)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			out.SetColorIndex(x, y, nearest[at(x, y)])
		}
	}
	return out
}

func distance(a, b color.RGBA) int {
	r, g, bl := int(a.R)-int(b.R), int(a.G)-int(b.G), int(a.B)-int(b.B)
	return r*r + g*g + bl*bl
}

// TestShots takes a picture of every page on a desk and on a phone, light and dark.
func TestShots(t *testing.T) {
	dir := shots(t)
	h := open(t, true)
	x := team{h, map[string]*person{}}
	for _, s := range x.sights() {
		p := x.see(s)
		for _, size := range []screen{desktop, phone} {
			for _, scheme := range []string{"light", "dark"} {
				p.choose(scheme)
				keep(t, dir, s.name+"-"+strconv.FormatInt(size.width, 10)+"-"+scheme, p.poster(size))
			}
		}
		p.choose("light")
		p.look(desktop)
	}
}

// sit takes a seat in the demo: the first on the page with all of them, another from the menu.
func (p *person) sit(login string) {
	p.t.Helper()
	button := "form[action='/seat'] button[value='" + login + "']"
	if p.has(".top") {
		p.press(".top details.menu:has(form[action='/seat']) > summary")
	}
	p.follow(button)
}

// TestReadme plays what the README shows: in the demo, one project goes from 谋划 to 已销号 by changing seats.
func TestReadme(t *testing.T) {
	dir := filepath.Join(shots(t), "readme")
	h := open(t, true)
	p := visitor(t, h.url)
	p.look(screen{1280, 800})
	p.open("/sign-in")
	shot := func(name string) { t.Helper(); keep(t, dir, name, light(t, p.picture())) }
	top := func() { p.eval(`scrollTo(0, 0)`, nil) }
	p.sit("zhang")
	p.open("/new")
	p.complete("#main form", "unit", string(h.unit("it")), "title", "东区宿舍全天供应热水", "owner", string(h.users["zhou"].ID),
		"need", "晚上十点后没有热水，同学们反映强烈", "target", "全天供应，投诉归零", "measures", "更换两台锅炉；值班表上墙")
	p.follow("#main form button[type=submit]")
	project, _, _ := strings.Cut(p.at(), "?")
	id := strings.TrimPrefix(project, "/projects/")
	as := func(login string) { t.Helper(); p.sit(login); p.open(project) }
	p.open(project)
	shot("1-plan") // 谋划: what the next step still needs
	p.follow("#gate .check a[href$='/edit']")
	p.complete("#main form", "sponsor", string(h.users["li"].ID), "list", "2025-6", "deadline", h.day(30))
	p.follow("#main form button[type=submit]")
	as("zhou")
	p.act("do-submit-deploy", "note", "需求已经核实，请审批")
	p.sit("zhang")
	p.open("/todo")
	p.fill("#a-"+id+" [name=note]", "同意交办")
	p.eval(`document.querySelector("#a-`+id+`").scrollIntoView({block: "center"})`, nil)
	top()
	shot("2-deploy") // 部署: the supervisor approves without leaving the list
	p.approve(id, "同意交办")
	as("zhou")
	p.act("do-acknowledge")
	h.pass(2)
	p.open("/sign-in")
	p.sit("zhou")
	p.open(project)
	p.act("do-milestones", "title", "锅炉到货验收", "due", h.day(8), "who", "后勤保障处")
	p.act("do-milestones", "title", "调试供水", "due", h.day(18), "who", "信息化中心")
	p.act("do-submit-advance")
	p.sit("zhang")
	p.approve(id, "同意启动")
	h.pass(6)
	p.open("/sign-in")
	p.sit("zhou")
	p.open(project)
	p.act("do-report", "percent", "60", "done", "两台锅炉到货并通过验收", "next", "安装调试")
	p.act("do-tick", "note", "验收单见附件")
	file := filepath.Join(t.TempDir(), "锅炉验收单.txt")
	if err := os.WriteFile(file, []byte("锅炉两台，合格。\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.act("do-evidence", "note", "到货验收", "file", file)
	p.open(project)
	shot("3-advance") // 推进: milestones, reports, evidence
	h.pass(5)
	p.open("/sign-in")
	p.sit("zhou")
	p.open(project)
	p.act("do-tick")
	p.act("do-report", "percent", "100", "done", "全天供水已经稳定一周")
	p.act("do-submit-track", "note", "请核查")
	p.sit("zhang")
	p.approve(id, "同意核查")
	p.open(project + "?open=verify")
	p.complete("#do-verify", "passed", "yes", "note", "凌晨一点到现场，热水正常")
	top()
	shot("4-track") // 跟踪: somebody else than the owner looks at the site
	p.act("do-verify")
	p.act("do-survey", "very_satisfied", "20", "satisfied", "12", "basic", "2", "dissatisfied", "1", "note", "宿舍楼下问卷，共35份")
	h.pass(3)
	p.open("/sign-in")
	p.sit("zhou")
	p.open(project)
	shot("5-feedback") // 反馈: publicity runs, and the gate says how far it is
	h.pass(3)
	p.open("/sign-in")
	p.sit("zhou")
	p.open(project)
	p.act("do-submit-effect", "note", "公示期满，没有异议")
	p.sit("zhang")
	p.approve(id, "同意")
	as("zhou")
	p.act("do-summarize", "summary", "东区全天有热水，投诉归零", "lasting", "锅炉每季度检修")
	p.act("do-submit-close", "note", "申请销号")
	p.sit("zhang")
	p.approve(id, "验收通过")
	p.sit("li")
	p.approve(id, "同意销号")
	p.open(project)
	p.wants("#gt", "已销号")
	shot("6-closed") // 已销号: every step with its date and its name
	h.intact()
}
