package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/nn"
	"github.com/goclip/goclip/text"
	"github.com/goclip/goclip/tokenizer"
	"github.com/goclip/goclip/vision"
)

// TestMain lets the test's binary be the program, and its workers.
func TestMain(m *testing.M) {
	if os.Getenv("GOCLIP_BEAM_MAIN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const shards, pictures, partSize = 6, 120, 10

// TestPrism runs the pipeline on Prism, whose workers are processes of their own: two at once, one that is
// killed, one that takes up what that one left, and one with a shard that cannot be read. The bytes are those
// of goclip embed.
func TestPrism(t *testing.T) {
	goclip := os.Getenv("GOCLIP_PROGRAM")
	if goclip == "" {
		t.Skip("GOCLIP_PROGRAM does not name the command goclip, with which this is compared")
	}
	dir := t.TempDir()
	model, names := filepath.Join(dir, "model"), tars(t, dir)
	randomModel(t, model)
	alone := filepath.Join(dir, "alone")
	if out, err := exec.Command(goclip, append([]string{"embed", "-q", "--model", model, "--out", alone, "--texts", "yes", "--part-size", strconv.Itoa(partSize)}, names...)...).CombinedOutput(); err != nil {
		t.Fatalf("goclip embed: %v\n%s", err, out)
	}
	want := contents(t, alone)

	t.Run("two workers", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "out")
		first, second := start(t, model, out, names[:4]), start(t, model, out, names[2:]) // two shards are given to both
		for _, j := range []*job{first, second} {
			if line := j.ended(t); line["shards"] != 4 || line["pictures"] != 4*(pictures-1) || line["failures"] != 4 {
				t.Errorf("it said %v", line)
			}
		}
		same(t, contents(t, out), want)
		line := start(t, model, out, names).ended(t)
		if line["shards"] != shards || line["pictures"] != shards*(pictures-1) || line["skipped_parts"] != line["parts"] || line["embedded"] != 0 {
			t.Errorf("once all is embedded, it said %v", line)
		}
	})

	t.Run("killed, and again", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "out")
		j := start(t, model, out, names)
		j.kill(t, out)
		// Prism may notice, and end the job, or wait for ever in a busy loop (its stage.Execute).
		time.AfterFunc(20*time.Second, func() { j.cmd.Process.Kill() })
		if err := j.cmd.Wait(); err == nil {
			t.Fatalf("a job whose worker was killed succeeded\n%s", &j.err)
		}
		left := len(parts(out))
		if left == 0 || left >= len(parts(alone)) {
			t.Fatalf("%d of %d parts when the worker was killed, want some", left, len(parts(alone)))
		}
		line := start(t, model, out, names).ended(t)
		if line["skipped_parts"] != float64(left) || line["shards"] != shards || line["pictures"] != shards*(pictures-1) {
			t.Errorf("after %d parts, it said %v", left, line)
		}
		same(t, contents(t, out), want)

		lost := filepath.Join(dir, "lost.tar")
		j = start(t, model, out, append([]string{lost}, names...))
		if err := j.cmd.Wait(); err == nil || !strings.Contains(j.err.String(), "shard "+lost) {
			t.Errorf("a shard that is not there: %v\n%s", err, &j.err)
		}
		same(t, contents(t, out), want)
	})
}

// job is a pipeline that runs, with Prism in the same process and the worker in another.
type job struct {
	cmd      *exec.Cmd
	out, err bytes.Buffer
}

func start(t *testing.T, model, out string, names []string) *job {
	t.Helper()
	program, err := os.Executable()
	check(t, err)
	script, err := filepath.Abs("worker.sh")
	check(t, err)
	list := filepath.Join(t.TempDir(), "list.txt")
	check(t, os.WriteFile(list, []byte(strings.Join(names, "\n")), 0o666))
	config, err := json.Marshal(map[string]any{"command": script, "env": map[string]string{"PROGRAM": program}})
	check(t, err)
	j := &job{cmd: exec.Command(program, "--runner=prism", "--environment_type=PROCESS", "--environment_config="+string(config), "--worker_binary="+program,
		"-shards", list, "-model", model, "-out", out, "-texts", "yes", "-part-size", strconv.Itoa(partSize))}
	j.cmd.Env = append(os.Environ(), "GOCLIP_BEAM_MAIN=1")
	j.cmd.Stdout, j.cmd.Stderr, j.cmd.WaitDelay = &j.out, &j.err, 20*time.Second
	check(t, j.cmd.Start())
	t.Cleanup(func() { j.cmd.Process.Kill() })
	return j
}

// ended returns what a job that succeeds said.
func (j *job) ended(t *testing.T) map[string]float64 {
	t.Helper()
	if err := j.cmd.Wait(); err != nil && !errors.Is(err, exec.ErrWaitDelay) { // a worker may hold the pipes for longer
		t.Fatalf("%v\n%s", err, &j.err)
	}
	line := map[string]float64{}
	if err := json.Unmarshal(j.out.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, &j.out)
	}
	return line
}

// kill kills the job's worker once two parts are whole.
func (j *job) kill(t *testing.T, out string) {
	t.Helper()
	for range 60_000 {
		if len(parts(out)) >= 2 {
			var children []byte
			tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", j.cmd.Process.Pid))
			check(t, err)
			for _, task := range tasks {
				more, _ := os.ReadFile(task)
				children = append(children, more...)
			}
			for _, pid := range strings.Fields(string(children)) {
				if p, err := strconv.Atoi(pid); err == nil {
					worker, err := os.FindProcess(p)
					check(t, err)
					check(t, worker.Kill())
					return
				}
			}
			t.Fatal("the job has no worker")
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Fatalf("no part after two minutes\n%s", &j.err)
}

// parts are those that are whole.
func parts(out string) []string {
	found, _ := filepath.Glob(filepath.Join(out, "parts", "[0-9]*.json"))
	return found
}

// tars writes shards, with a file in each that is no picture.
func tars(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	for s := range shards {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		add := func(name string, data []byte) {
			check(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o666, Size: int64(len(data))}))
			_, err := w.Write(data)
			check(t, err)
		}
		for i := range pictures {
			key := fmt.Sprintf("%02d%04d", s, i)
			if i == 7 {
				add(key+".png", []byte("<html>"))
			} else {
				add(key+".png", picture(t, uint8(s*40), uint8(i*2)))
			}
			add(key+".txt", []byte("number "+key))
		}
		check(t, w.Close())
		names = append(names, filepath.Join(dir, fmt.Sprintf("%05d.tar", s)))
		check(t, os.WriteFile(names[s], b.Bytes(), 0o666))
	}
	return names
}

func picture(t *testing.T, r, g uint8) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 64, 64))
	for y := range 64 {
		for x := range 64 {
			m.Set(x, y, color.RGBA{r + uint8(x), g + uint8(y), uint8(x * y), 255})
		}
	}
	var b bytes.Buffer
	check(t, png.Encode(&b, m))
	return b.Bytes()
}

// randomModel saves a small model with random weights.
func randomModel(t *testing.T, dir string) {
	t.Helper()
	tok, err := tokenizer.TrainBPE(slices.Values([]string{"number one"}), tokenizer.TrainOptions{VocabSize: 280})
	check(t, err)
	m, err := encoder.New(encoder.Config{
		Vision: vision.ViT{
			ImageSize: [2]int{64, 64}, PatchSize: 8, Width: 64, Layers: 2, Heads: 2, EmbedDim: 32,
			Activation: nn.GELU, Pool: vision.PoolClass, NormEps: 1e-5,
		},
		Text: text.Transformer{
			ContextLength: 16, VocabSize: tok.VocabSize(), Width: 32, Layers: 1, Heads: 1, EmbedDim: 32,
			Activation: nn.GELU, Mask: text.MaskCausal, Pool: text.PoolArgmax, NormEps: 1e-5,
		},
		Preprocess: vision.CLIPPreprocess(64),
	}, tok, 1)
	check(t, err)
	check(t, m.Save(dir))
}

// contents are all files below a folder.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	check(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[name] = string(data)
		return err
	}))
	return all
}

func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
		t.Errorf("files %q, want %q", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	for name, data := range want {
		if there, ok := got[name]; ok && there != data {
			t.Errorf("%s differs", name)
		}
	}
}

// TestShards: names that would give the same parts are refused, and so is a list of none.
func TestShards(t *testing.T) {
	list := filepath.Join(t.TempDir(), "list")
	for text, want := range map[string]string{"": "no shard", "\n \n": "no shard", "a/1.tar\nb/1.parquet\n": "a/1.tar and b/1.parquet", "x\nx/\n": "x and x/"} {
		check(t, os.WriteFile(list, []byte(text), 0o666))
		if _, err := readShards(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %s", text, err, want)
		}
	}
	check(t, os.WriteFile(list, []byte(" a/1.tar\n\na/2.tar"), 0o666))
	if got, err := readShards(list); err != nil || !slices.Equal(got, []string{"a/1.tar", "a/2.tar"}) {
		t.Errorf("got %q, %v", got, err)
	}
	if err := run(t.Context(), list, settings{Model: "m", Out: "o"}); err == nil || !strings.Contains(err.Error(), "-texts") {
		t.Errorf("without -texts: error %v", err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
