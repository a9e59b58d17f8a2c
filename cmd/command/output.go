package command

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/eval"
	"github.com/goclip/goclip/internal/journal"
	"github.com/goclip/goclip/internal/output"
	"github.com/goclip/goclip/photos"
	"github.com/goclip/goclip/report"
	"github.com/goclip/goclip/vision"
)

func document(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// result writes what came out, as JSON or in words.
func (s *session) result(v any, words func(w io.Writer)) error {
	if s.json {
		return document(s.out, v)
	}
	out := bufio.NewWriter(s.out)
	words(plain{out})
	return out.Flush() // which has the first error of any write
}

// say writes a line of progress.
func (s *session) say(format string, args ...any) {
	end := "\n"
	if s.terminal {
		end = "\x1b[K\n"
	}
	fmt.Fprintf(s.progress, "%s%s", escaped(fmt.Appendf(nil, format, args...)), end)
}

// warn writes a line that the result cannot be read without, also with --quiet.
func (s *session) warn(format string, args ...any) {
	if s.terminal {
		format += "\x1b[K"
	}
	fmt.Fprintf(s.errors, format+"\n", args...)
}

// cut warns of texts that were longer than the model takes.
func (s *session) cut(what string, cut []string, of int) {
	if len(cut) > 0 {
		s.warn("%d of %d %s are longer than the model's context and were cut, so their ends count for nothing; the first: %.200q", len(cut), of, what, cut[0])
	}
}

// watch tells of going through a set.
func (s *session) watch(what string, src dataset.Source) dataset.Source {
	return eval.Watch(src, s.counter(what, "images"))
}

// counter returns a hook that tells a terminal how much is done, at what rate and for how
// long still: in one line over itself or, without control sequences, every ten seconds.
func (s *session) counter(what, unit string) func(done, total int) {
	if !s.counting {
		return func(int, int) {}
	}
	every, end := 10*time.Second, "\n"
	if s.terminal {
		every, end = 200*time.Millisecond, "\x1b[K\r"
	}
	start := time.Now()
	shown := start
	return func(done, total int) {
		now := time.Now()
		last := done == total
		if now.Sub(shown) < every && !(last && s.terminal) {
			return
		}
		shown = now
		rate := float64(done) / max(now.Sub(start).Seconds(), 1e-9)
		of, left := "", ""
		if total >= done {
			of = fmt.Sprintf("/%d", total)
			left = fmt.Sprintf("  %v left", time.Duration(float64(total-done)/rate*float64(time.Second)).Round(time.Second))
		}
		fmt.Fprintf(s.progress, "%s: %d%s %s  %.1f/s%s%s", what, done, of, unit, rate, left, end)
		if last && s.terminal {
			fmt.Fprint(s.progress, "\x1b[K")
		}
	}
}

// hinted adds to an error about an image the flag that helps.
func hinted(err error) error {
	var incomplete *vision.IncompleteError
	if errors.As(err, &incomplete) {
		return fmt.Errorf("%w: --allow-truncated reads it", err)
	}
	return err
}

// leftOut tells of samples that could not be used: the first few, and how many
// more there are.
func (s *session) leftOut(reasons []error) {
	s.lost = append(s.lost, reasons...)
	for i, err := range reasons {
		if i == shown {
			s.say("… and %d more left out", len(reasons)-i)
			return
		}
		s.say("left out: %v", hinted(err))
	}
}

// occupied is the error of an output in the place of something else.
func occupied(err error) error {
	switch {
	case errors.Is(err, output.ErrExists), errors.Is(err, photos.ErrAnother):
		return coded{fmt.Errorf("%w: --overwrite", err), misuse}
	case errors.Is(err, output.ErrForeign):
		return coded{err, misuse}
	}
	return err
}

// reportTitle begins the title of each report, by which its figures are known again.
const reportTitle = "How good is "

// freeReport is an error where a report would replace something else, or with overwrite
// unset another report.
func freeReport(dir string, overwrite bool) error {
	page := output.Kind{Name: "a report", Is: func(path string) bool { return report.IsPage(head(path)) }}
	figures := output.Kind{Name: "a report", Is: func(path string) bool {
		return bytes.HasPrefix(head(path), []byte("{\n  \"title\": \""+reportTitle))
	}}
	if err := output.Free(filepath.Join(dir, "report.html"), page, overwrite); err != nil {
		return err
	}
	return output.Free(filepath.Join(dir, "report.json"), figures, overwrite)
}

// head is the beginning of a file.
func head(path string) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	data, _ := io.ReadAll(io.LimitReader(f, 1<<10))
	return data
}

// shown is the number of samples left out that are told one by one.
const shown = 5

// freeLeftOut is an error where the list of what is left out would replace something else.
func freeLeftOut(asked, otherwise string) error {
	list := output.Kind{Name: "a list of what was left out", Is: func(path string) bool {
		start := head(path)
		return len(start) == 0 || bytes.HasPrefix(start, []byte(`{"file":`))
	}}
	if err := output.Free(cmp.Or(asked, otherwise), list, true); err != nil {
		return occupied(fmt.Errorf("%w; name another file with --left-out", err))
	}
	return nil
}

// apart is an error where something that is written would lie in a folder that is read, and
// be taken for data the next time. Empty names are passed over.
func apart(written []string, read ...string) error {
	for _, w := range written {
		if w == "" {
			continue
		}
		if err := output.Outside(w, read...); err != nil {
			return occupied(err)
		}
	}
	return nil
}

// writeLeftOut writes all that was left out, and the notes on the set, as JSON lines:
// to the file that was asked for, or to another one where there is more than was
// shown. It returns the file's name.
func (s *session) writeLeftOut(notes []dataset.Bad, asked, otherwise string) (string, error) {
	name := cmp.Or(asked, otherwise)
	if len(s.lost)+len(notes) == 0 || asked == "" && len(s.lost)+len(notes) <= shown {
		return "", nil
	}
	if err := freeLeftOut(name, ""); err != nil {
		return "", err
	}
	var all dataset.Ledger
	for _, b := range notes {
		all.Add(b.File, b.Key, b.Reason)
	}
	for _, err := range s.lost {
		var one *dataset.SampleError
		if errors.As(err, &one) {
			all.Add(one.File, one.Key, hinted(one.Err).Error())
		} else {
			all.Add("", "", err.Error())
		}
	}
	if err := journal.WriteFile(name, all.WriteJSONLines); err != nil {
		return "", err
	}
	s.say("all %d that were left out, with the reasons: %s", all.Len(), name)
	return name, nil
}

// plain is a writer to a terminal or a log: control characters, as the names of files
// may have, are written as Go writes them in strings.
type plain struct{ io.Writer }

func (p plain) Write(b []byte) (int, error) {
	if _, err := p.Writer.Write(escaped(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

func escaped(b []byte) []byte {
	var out []byte
	for _, r := range string(b) {
		switch {
		case r == '\n' || r == '\t' || !unicode.IsControl(r) && !unicode.Is(unicode.Bidi_Control, r):
			out = utf8.AppendRune(out, r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			out = append(out, quoted[1:len(quoted)-1]...)
		}
	}
	return out
}

// writable makes the folder of a file that will be written, and tells before hours
// of work whether one can be.
func writable(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s: there is something else than a regular file", path)
	}
	if err := journal.Probe(path); err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, err)
	}
	return nil
}
