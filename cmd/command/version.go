package command

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is what the build says of itself: the module's version, or the commit where it was
// built in a checkout.
func version() string {
	v := "(unknown)"
	if info, ok := debug.ReadBuildInfo(); ok {
		v = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && (v == "" || v == "(devel)") {
				v = s.Value
			}
		}
	}
	return fmt.Sprintf("goclip %s, %s, %s/%s", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
