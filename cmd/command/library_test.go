package command

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goclip/goclip/photos"
)

type indexed struct{ Entries, Added, Changed, Moved, Removed, Unchanged int }

// TestLibrary: a folder's index follows the folder, and is of it alone; a table's is replaced
// only when told to.
func TestLibrary(t *testing.T) {
	data := tree(t, 3)
	model := tiny(t, data)
	out := filepath.Join(t.TempDir(), "photos.index")
	args := []string{"index", "--model", model, "--data", data, "--out", out}
	for _, c := range []struct {
		change func()
		want   indexed
	}{
		{func() {}, indexed{Entries: 12, Added: 12}},
		{func() {}, indexed{Entries: 12, Unchanged: 12}},
		{func() {
			check(t, os.Rename(filepath.Join(data, "red", "0.png"), filepath.Join(data, "red", "a new\tname.png")))
			check(t, os.Remove(filepath.Join(data, "blue", "1.png")))
		}, indexed{Entries: 11, Moved: 1, Removed: 2, Unchanged: 10}},
	} {
		c.change()
		old := time.Now().Add(-time.Hour)
		check(t, filepath.WalkDir(data, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			if info, err := d.Info(); err != nil || time.Since(info.ModTime()) > time.Minute {
				return err
			}
			return os.Chtimes(path, old, old)
		}))
		var got indexed
		works(t, &got, args...)
		if got != c.want {
			t.Errorf("got %+v, want %+v", got, c.want)
		}
	}
	if out := works(t, nil, args...); !strings.Contains(out, "0 new, 0 changed, 0 renamed or copied, 0 gone, 11 as before") {
		t.Errorf("in words: %s", out)
	}
	if out := works(t, nil, "search", "--model", model, "--index", out, "-k", "20", "red"); !strings.Contains(out, `"red/a new\tname.png"`) {
		t.Errorf("a name with a tab is not quoted:\n%s", out)
	}
	for _, more := range [][]string{{"--watch", "--every", "1ms"}, {"--every", "0"}} {
		goclipFails(t, misuse, "want 1s or more", append(args, more...)...)
	}
	table := filepath.Join(data, "captions.csv")
	if _, err := os.Stat(table); err != nil {
		table = write(t, filepath.Join(t.TempDir(), "captions.csv"), "image,caption\n"+filepath.Join(data, "red", "1.png")+",red\n")
	}
	goclipFails(t, misuse, "--watch is for folders", "index", "--model", model, "--data", table, "--out", out, "--watch", "--allow-outside")
}

// TestWatch: what comes into a folder and goes from it is found soon after, and Ctrl-C ends
// the watch as it should be.
func TestWatch(t *testing.T) {
	if testing.Short() || runtime.GOOS == "windows" {
		t.Skip("waits for seconds; sends a signal")
	}
	data := tree(t, 3)
	model := tiny(t, data)
	out := filepath.Join(t.TempDir(), "photos.index")
	cmd := program(t, "index", "--model", model, "--data", data, "--out", out, "--watch", "--every", "1s", "--json")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	check(t, cmd.Start())
	until := func(what string, done func(keys []string) bool) {
		t.Helper()
		var keys []string
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			x, err := photos.Open(out, nil)
			if err != nil {
				continue // it is not there yet
			}
			keys = nil
			for e := range x.Entries() {
				keys = append(keys, e.Key)
			}
			check(t, x.Close())
			if done(keys) {
				return
			}
		}
		_ = cmd.Process.Kill()
		t.Fatalf("%s: still %q\n%s", what, keys, &stderr)
	}
	until("at first", func(keys []string) bool { return len(keys) == 12 })
	check(t, os.Rename(filepath.Join(data, "red", "0.png"), filepath.Join(data, "red", "moved.png")))
	check(t, os.Remove(filepath.Join(data, "blue", "1.png")))
	until("after changes", func(keys []string) bool {
		return len(keys) == 11 && slices.Contains(keys, "red/moved.png") && !slices.Contains(keys, "blue/1.png")
	})
	// A folder that is away says nothing of what was in it.
	check(t, os.Rename(data, data+" away"))
	for range 40 {
		if time.Sleep(100 * time.Millisecond); strings.Contains(stderr.String(), "trying again") {
			break
		}
	}
	until("without its folder", func(keys []string) bool { return len(keys) == 11 })
	check(t, os.Rename(data+" away", data))
	check(t, cmd.Process.Signal(syscall.SIGINT))
	check(t, cmd.Wait())
	if !strings.Contains(stdout.String(), `"entries": 11`) {
		t.Errorf("at its end the watch says %s", &stdout)
	}
}

// TestSearchAsPeopleAsk: signs, likeness, files, filters, strengths and forms of the result.
func TestSearchAsPeopleAsk(t *testing.T) {
	data := tree(t, 6)
	model := tiny(t, data)
	out := filepath.Join(t.TempDir(), "photos.index")
	works(t, nil, "index", "--model", model, "--data", data, "--out", out)
	red := filepath.Join(data, "red", "1.png")
	search := func(args ...string) []hit {
		t.Helper()
		var all []found
		works(t, &all, append([]string{"search", "--model", model, "--index", out}, args...)...)
		if len(all) == 0 {
			t.Fatal("no answer")
		}
		return all[0].Hits
	}
	first := func(hits []hit) string { return strings.Split(hits[0].Key, "/")[0] }
	if got := first(search("a photo of a green")); got != "green" {
		t.Errorf("green finds %s", got)
	}
	plain, signed := search("-k", "24", "a photo of a green"), search("-k", "24", `1*"a photo of a green"`)
	if len(plain) != 24 || !slices.EqualFunc(plain, signed, func(a, b hit) bool { return a.Key == b.Key && a.Score == b.Score }) {
		t.Error("a part alone is not what it is as words")
	}
	if got := search("like:red/1.png"); got[0].Key != "red/1.png" || got[0].Strength == nil || !(*got[0].Strength > 0) {
		t.Errorf("like an image of the index: %+v", got[0])
	}
	if got := search(`image:"` + red + `"`); got[0].Key != "red/1.png" {
		t.Errorf("like a file: %+v", got[0])
	}
	if got := first(search(`like:red/1.png -3*"a photo of a red" +3*"a photo of a blue"`)); got == "red" {
		t.Errorf("red without red finds %s", got)
	}
	if got := search("--path", "blue/**", "a photo of a green"); len(got) != 6 || first(got) != "blue" {
		t.Errorf("in blue alone: %+v", got)
	}
	if got := search("--before", "1999", "green"); len(got) != 0 {
		t.Errorf("before there were any: %+v", got)
	}
	strong := search("-k", "24", "--min", "1", "a photo of a green")
	if len(strong) == 0 || len(strong) == 24 || *strong[len(strong)-1].Strength < 1 {
		t.Errorf("above a strength: %+v", strong)
	}
	// Standard input, and names for other programs.
	cmd := program(t, "search", "--model", model, "--index", out, "-k", "1", "--print0", "-")
	cmd.Stdin = strings.NewReader("a photo of a green\n\na photo of a red\r\n")
	got, err := cmd.Output()
	check(t, err)
	if names := strings.Split(string(got), "\x00"); len(names) != 3 || !strings.HasPrefix(names[0], "green/") || !strings.HasPrefix(names[1], "red/") || names[2] != "" {
		t.Errorf("by standard input: %q", got)
	}
	cmd = program(t, "search", "--model", model, "--index", out, "-k", "1", "--image", "-")
	file, err := os.Open(red)
	check(t, err)
	defer file.Close()
	cmd.Stdin = file
	if got, err := cmd.Output(); err != nil || !strings.Contains(string(got), "red/1.png") {
		t.Errorf("an image by standard input: %s, %v", got, err)
	}
	for want, args := range map[string][]string{
		`the quote before "b" is never closed`: {`a -"b`},
		"date \"soon\"":                        {"--after", "soon", "a"},
		"pattern \"[\"":                        {"--path", "[", "a"},
		"two forms":                            {"--print0", "--json", "a"},
		"- is there twice":                     {"-", "-"},
	} {
		goclipFails(t, misuse, want, append([]string{"search", "--model", model, "--index", out}, args...)...)
	}
	goclipFails(t, badInput, `has no image "red/9.png"`, "search", "--model", model, "--index", out, "like:red/9.png")

	// The commands beside it.
	copied := filepath.Join(data, "red", "copy.png")
	content, err := os.ReadFile(red)
	check(t, err)
	check(t, os.WriteFile(copied, content, 0o666))
	works(t, nil, "index", "--model", model, "--data", data, "--out", out)
	if got := works(t, nil, "duplicates", "--index", out, "--same-file", "--print0"); got != "red/copy.png\x00" {
		t.Errorf("duplicates: %q", got)
	}
	if got := works(t, nil, "duplicates", "--index", out, "--same-file"); !strings.Contains(got, "same file") || !strings.Contains(got, "1 groups; 1 images besides the first of each, of 25") {
		t.Errorf("duplicates in words:\n%s", got)
	}
	var groups []group
	works(t, &groups, "clusters", "--model", model, "--index", out, "-k", "4", "--names", "1", "--words", write(t, filepath.Join(t.TempDir(), "words"), "a red\na green\na blue\na grey\n"))
	total := 0
	for _, g := range groups {
		total += g.Size
		if len(g.Names) != 1 || len(g.Images) != g.Size {
			t.Errorf("group %+v", g)
		}
	}
	if total != 25 {
		t.Errorf("%d images in groups, want 25", total)
	}
	works(t, nil, "clusters", "--model", model, "--index", out)
}

// TestManners: version, help and completion say what they should to standard output.
func TestManners(t *testing.T) {
	if out := works(t, nil, "--version"); !strings.HasPrefix(out, "goclip ") || !strings.Contains(out, runtime.Version()) || strings.Count(out, "\n") != 1 {
		t.Errorf("version %q", out)
	}
	if works(t, nil, "help") != works(t, nil, "--help") || works(t, nil, "help", "search") != works(t, nil, "search", "--help") {
		t.Error("help says otherwise than --help")
	}
	goclipFails(t, misuse, "nothing", "help", "nothing")
	goclipFails(t, misuse, "want bash, zsh or fish", "completion", "cmd")
	for _, command := range []string{"train", "eval", "classify", "index", "search", "duplicates", "clusters", "info", "convert", "pull", "list", "completion"} {
		if help := works(t, nil, "help", command); command != "list" && !strings.Contains(help, "    goclip "+command) && !strings.Contains(help, "goclip "+command+" ") {
			t.Errorf("help of %s has no example", command)
		}
		for _, shell := range []string{"bash", "zsh", "fish"} {
			if script := works(t, nil, "completion", shell); !strings.Contains(script, command) || !strings.Contains(script, "model") {
				t.Errorf("%s does not complete %s", shell, command)
			}
		}
	}
}

// TestCompletion asks the shells that are here.
func TestCompletion(t *testing.T) {
	script := func(t *testing.T, shell string) string {
		t.Helper()
		if _, err := exec.LookPath(shell); err != nil {
			t.Skip("no " + shell)
		}
		return write(t, filepath.Join(t.TempDir(), "completion"), works(t, nil, "completion", shell))
	}
	t.Run("bash", func(t *testing.T) {
		path := script(t, "bash")
		complete := func(words ...string) string {
			out, err := exec.Command("bash", append([]string{"-c", `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _goclip; echo "${COMPREPLY[@]}"`, "bash", path}, words...)...).CombinedOutput()
			check(t, err)
			return strings.TrimSpace(string(out))
		}
		for want, words := range map[string][]string{
			"search":                               {"goclip", "sea"},
			"--upright":                            {"goclip", "index", "--up"},
			"--no-upright":                         {"goclip", "index", "--model", "m", "--no-up"},
			"--image":                              {"goclip", "search", "--model", "index", "--im"},
			"--print0":                             {"goclip", "duplicates", "--pr"},
			"zsh":                                  {"goclip", "completion", "z"},
			"clusters":                             {"goclip", "help", "clu"},
			"classify clusters convert completion": {"goclip", "c"},
			"":                                     {"goclip", "search", "photo"},
		} {
			if got := complete(words...); got != want {
				t.Errorf("%q completes to %q, want %q", words, got, want)
			}
		}
	})
	t.Run("zsh", func(t *testing.T) {
		if out, err := exec.Command("zsh", "-n", script(t, "zsh")).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	t.Run("fish", func(t *testing.T) {
		path := script(t, "fish")
		out, err := exec.Command("fish", "-c", "source "+path+"; complete -C 'goclip index --up'").CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), "--upright") {
			t.Errorf("%s, %v", out, err)
		}
	})
}

// TestProgressIsForTerminals: nothing is counted for others, and control sequences are for
// terminals that take them.
func TestProgressIsForTerminals(t *testing.T) {
	for _, c := range []struct {
		counting, terminal bool
		want               string
	}{{false, false, ""}, {true, true, "\x1b[K"}} {
		var b bytes.Buffer
		s := &session{progress: &b, counting: c.counting, terminal: c.terminal}
		count := s.counter("index", "images")
		for i := range 10 {
			count(i+1, 10)
		}
		if got := b.String(); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%+v: got %q", c, got)
		}
	}
	for name, value := range map[string]string{"NO_COLOR": "1", "TERM": "dumb"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("NO_COLOR", "")
			t.Setenv("TERM", "xterm")
			if plainTerminal() {
				t.Error("a terminal is spared what it takes")
			}
			t.Setenv(name, value)
			if !plainTerminal() {
				t.Errorf("%s=%s is not minded", name, value)
			}
		})
	}
}

// TestUmask: what is written has the modes that the user's umask leaves.
func TestUmask(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no umask")
	}
	data := tree(t, 3)
	model := tiny(t, data)
	for umask, want := range map[string]os.FileMode{"022": 0o644, "077": 0o600} {
		out := filepath.Join(t.TempDir(), "photos.index")
		cmd := program(t, "index", "--model", model, "--data", data, "--out", out)
		cmd.Args = append([]string{"sh", "-c", "umask " + umask + `; exec "$0" "$@"`}, cmd.Args...)
		sh, err := exec.LookPath("sh")
		check(t, err)
		cmd.Path = sh
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		for _, path := range []string{out, photos.JournalPath(out), photos.ThumbsPath(out)} {
			info, err := os.Stat(path)
			check(t, err)
			if info.Mode() != want {
				t.Errorf("with umask %s %s has mode %o, want %o", umask, filepath.Base(path), info.Mode(), want)
			}
		}
	}
}
