package browsertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// requiredEnv, set to "required", turns the skip of a machine without Chromium into a failure.
const requiredEnv = "BIHUAN_TEST_BROWSER"

// patience bounds every single step in the browser. It only ends a run that has gone wrong, so it is generous.
const patience = 2 * time.Minute

// browser is the one that all tests of the package share; each person in it has cookies of their own.
var browser context.Context

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	path, err := chromium()
	switch {
	case err == nil:
	case os.Getenv(requiredEnv) == "required":
		fmt.Println("a browser is required:", err)
		return 1
	default:
		fmt.Println("browser tests skipped:", err)
		return 0
	}
	dir, err := os.MkdirTemp("", "bihuan-browser-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // at worst a folder among the temporary ones
	stage.dir = filepath.Join(dir, "stage")
	allocator, end := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.UserDataDir(filepath.Join(dir, "profile")),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-renderer-backgrounding", true),
		chromedp.Flag("disable-background-timer-throttling", true), chromedp.Flag("disable-backgrounding-occluded-windows", true),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("password-store", "basic"),
		chromedp.Flag("lang", "zh-CN"), chromedp.Flag("accept-lang", "zh-CN"),
		chromedp.Env("LANGUAGE=zh_CN"), chromedp.WSURLReadTimeout(patience))
	defer end()
	var cancel context.CancelFunc
	browser, cancel = chromedp.NewContext(allocator)
	defer cancel()
	if err := chromedp.Run(browser); err != nil {
		fmt.Println("the browser does not start:", err)
		return 1
	}
	defer func() { _ = chromedp.Cancel(browser) }() // waits until it has ended, so that its profile can be removed
	return m.Run()
}

// chromium finds the browser.
func chromium() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is no Chromium (Debian: apt-get install chromium fonts-noto-cjk)")
}
