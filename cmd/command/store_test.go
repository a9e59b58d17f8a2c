package command

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// badHelper is a program for stores that does what no good one does.
func badHelper(how string) {
	switch how {
	case "ends":
		fmt.Fprintln(os.Stderr, "cannot go on")
		os.Exit(3)
	case "garbage":
		fmt.Println("hello")
	case "error":
		fmt.Println(`{"error":"no such table"}`)
	case "silent":
	}
	time.Sleep(time.Minute)
}

// TestStoreHelpers: what goes wrong with the program for a database is said, and nothing hangs;
// contrib/stores searches real ones.
func TestStoreHelpers(t *testing.T) {
	model, dir := tiny(t, tree(t, 4)), t.TempDir()
	own, err := os.Executable()
	check(t, err)
	check(t, os.Symlink(own, filepath.Join(dir, "goclip-store-bad")))
	search := func(how string, args ...string) string {
		t.Helper()
		cmd := program(t, append([]string{"search", "--model", model}, args...)...)
		cmd.Env = append(cmd.Env, "PATH="+dir, "GOCLIP_TEST_HELPER="+how)
		said, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("%s %q: no error", how, args)
		}
		return string(said)
	}
	for how, want := range map[string]string{"ends": "goclip-store-bad ended without an answer: exit status 3\ncannot go on", "garbage": "goclip-store-bad: its answer is not JSON", "error": "goclip-store-bad: no such table"} {
		if said := search(how, "--store", "bad://x", "a"); !strings.Contains(said, want) {
			t.Errorf("%s: got %s, want …%s…", how, said, want)
		}
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"want one of --index and --store", []string{"a"}},
		{"want one of --index and --store", []string{"--index", "x", "--store", "bad://x", "a"}},
		{"--store is no address", []string{"--store", "photos.index", "a"}},
		{"--store is no address", []string{"--store", "../bad://x", "a"}},
		{"the program goclip-store-none is not installed", []string{"--store", "none+http://x", "a"}},
		{"--label is for a --store", []string{"--index", "x", "--label", "a=b", "a"}},
	} {
		if said := search("silent", c.args...); !strings.Contains(said, c.want) {
			t.Errorf("%q: got %s, want …%s…", c.args, said, c.want)
		}
	}
}
