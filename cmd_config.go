package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

type configCmd struct {
	Check configCheckCmd `cmd:""`
}

type configCheckCmd struct{ database }

// Help returns the examples.
func (configCheckCmd) Help() string {
	return "bihuan config check --config /etc/bihuan.yaml\nBIHUAN_LOG_LEVEL=debug bihuan config check"
}

// Run reports every mistake of the set-up, or shows it as one file, without passwords.
func (x *configCheckCmd) Run(s *session) error {
	c, err := s.config(x.setup, map[string]string{"db": x.DB})
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(s.out, c.Redacted())
	return err
}

// version is set by the linker: -ldflags "-X main.version=v1.2.3".
var version = ""

type versionCmd struct{}

// Help returns the examples.
func (versionCmd) Help() string { return "bihuan version" }

// Run prints which build this is.
func (versionCmd) Run(s *session) error {
	s.print(fmt.Sprintf("bihuan %s %s %s/%s", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH))
	return nil
}

// buildVersion is what the linker or the module says, with the commit where the build knows it.
func buildVersion() string {
	name, commit := version, ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if v := info.Main.Version; v != "(devel)" {
			name = cmp.Or(name, v)
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				commit = s.Value[:12]
			}
		}
	}
	name = cmp.Or(name, "devel")
	if commit != "" {
		name += "+" + commit
	}
	return name
}
