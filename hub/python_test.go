package hub_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goclip/goclip/hub"
)

// python runs a script with huggingface_hub, or skips the test where GOCLIP_PYTHON names no
// interpreter that has it.
func python(t *testing.T, c *hub.Client, script string, env ...string) string {
	t.Helper()
	interpreter := os.Getenv("GOCLIP_PYTHON")
	if interpreter == "" {
		t.Skip("GOCLIP_PYTHON names no Python with huggingface_hub")
	}
	out, err := runPython(t.Context(), interpreter, c, script, env...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func runPython(ctx context.Context, interpreter string, c *hub.Client, script string, env ...string) (string, error) {
	cmd := exec.CommandContext(ctx, interpreter, "-c", script)
	for _, v := range os.Environ() {
		if !strings.HasSuffix(v, "=") { // what is empty is set for Python
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "HF_HUB_CACHE="+c.Cache, "HF_ENDPOINT="+c.Endpoint, "HF_HUB_DISABLE_TELEMETRY=1", "HF_HUB_DISABLE_PROGRESS_BARS=1", "REPO="+clipName, "COMMIT="+commit)
	cmd.Env = append(cmd.Env, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, errs.String())
	}
	return out.String(), nil
}

// TestPythonReadsOurs: huggingface_hub finds what goclip downloaded, without the network.
func TestPythonReadsOurs(t *testing.T) {
	for _, links := range []string{"0", "1"} {
		h := newHub(t, clipRepo())
		t.Setenv("HF_HUB_DISABLE_SYMLINKS", links)
		c := h.client(t)
		m := download(t, c, clipName)
		out := python(t, c, `
import json, os
from huggingface_hub import _CACHED_NO_EXIST, hf_hub_download, scan_cache_dir, snapshot_download, try_to_load_from_cache
repo = os.environ["REPO"]
info = scan_cache_dir()
[r] = info.repos
[rev] = r.revisions
print(json.dumps({
    "snapshot": snapshot_download(repo, local_files_only=True),
    "weights": hf_hub_download(repo, "model.safetensors", local_files_only=True),
    "pinned": hf_hub_download(repo, "vocab.json", revision=os.environ["COMMIT"]),
    "absent": try_to_load_from_cache(repo, "spiece.model") is _CACHED_NO_EXIST,
    "warnings": [str(w) for w in info.warnings],
    "repo": r.repo_id, "refs": sorted(rev.refs), "files": sorted(f.file_name for f in rev.files), "size": rev.size_on_disk,
}))`, "HF_HUB_OFFLINE=1")
		var got struct {
			Snapshot, Weights, Pinned, Repo string
			Absent                          bool
			Warnings, Refs, Files           []string
			Size                            int64
		}
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		real, err := filepath.EvalSymlinks(filepath.Dir(c.Cache))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(real, strings.TrimPrefix(m.Path, filepath.Dir(c.Cache)))
		if got.Snapshot != path || got.Weights != filepath.Join(path, "model.safetensors") || !strings.HasSuffix(got.Pinned, "vocab.json") {
			t.Errorf("Python finds %+v, want the files of %s", got, path)
		}
		if !got.Absent || len(got.Warnings) > 0 || got.Repo != clipName || strings.Join(got.Refs, " ") != "main" || len(got.Files) != 7 || got.Size != m.Bytes {
			t.Errorf("Python sees %+v, want 7 files of main with %d bytes", got, m.Bytes)
		}
	}
}

// TestReadsPythons: what huggingface_hub downloaded is found without the network, file by
// file or as a snapshot; and Python's own retry of our rest goes on.
func TestReadsPythons(t *testing.T) {
	for name, script := range map[string]string{
		"snapshot": `
import os
from huggingface_hub import snapshot_download
print(snapshot_download(os.environ["REPO"], allow_patterns=["*.json", "*.txt", "*.safetensors", "*.md"]))`,
		"files": `
import os
from huggingface_hub import hf_hub_download
for name in ["config.json", "preprocessor_config.json", "vocab.json", "merges.txt", "model.safetensors", "README.md"]:
    print(os.path.dirname(hf_hub_download(os.environ["REPO"], name)))`,
	} {
		for _, links := range []string{"", "1"} {
			t.Run(name+links, func(t *testing.T) {
				h := newHub(t, clipRepo())
				c := h.client(t)
				python(t, c, script, "HF_HUB_DISABLE_SYMLINKS="+links, "HF_HUB_DISABLE_SYMLINKS_WARNING=1")
				c.Offline = true
				m, err := c.Find(clipName)
				if err != nil {
					t.Fatal(err)
				}
				same(t, m, "model.safetensors", h.repos[clipName]["model.safetensors"])
				if m.License.ID != "mit" || m.Commit != commit {
					t.Errorf("got %+v", m)
				}
				c.Offline = false
				before := h.count("cdn")
				download(t, c, clipName)
				if n := h.count("GET cdn /" + sha256Of(h.repos[clipName]["model.safetensors"])); n != 1 {
					t.Errorf("the weights were fetched %d times, want once (%d requests to the other host before)", n, before)
				}
			})
		}
	}
}

// TestLockOfPython: one waits while the other downloads.
func TestLockOfPython(t *testing.T) {
	h := newHub(t, clipRepo())
	c := h.client(t)
	lock := hub.LockPath(c.Cache, clipName, etag(h.repos[clipName]["model.safetensors"]))
	release, err := hub.LockFile(t.Context(), lock, func() {})
	if err != nil {
		t.Fatal(err)
	}
	const tryLock = `
import os
from filelock import Timeout
from huggingface_hub.utils import WeakFileLock
try:
    with WeakFileLock(os.environ["LOCK"], timeout=0.2):
        print("got it")
except Timeout:
    print("it is held")`
	if out := python(t, c, tryLock, "LOCK="+lock); strings.TrimSpace(out) != "it is held" {
		t.Errorf("while goclip holds the lock Python says %q", out)
	}
	release()
	if out := python(t, c, tryLock, "LOCK="+lock); strings.TrimSpace(out) != "got it" {
		t.Errorf("afterwards Python says %q", out)
	}

	// And the other way round: Python holds it until a file is there.
	held, done := filepath.Join(t.TempDir(), "held"), filepath.Join(t.TempDir(), "done")
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		_, err := runPython(t.Context(), os.Getenv("GOCLIP_PYTHON"), c, `
import os, time
from huggingface_hub.utils import WeakFileLock
with WeakFileLock(os.environ["LOCK"]):
    open(os.environ["HELD"], "w").close()
    while not os.path.exists(os.environ["DONE"]):
        time.sleep(0.01)`, "LOCK="+lock, "HELD="+held, "DONE="+done)
		if err != nil {
			t.Error(err)
		}
	}()
	defer func() { <-finished }()
	for range 3000 {
		if _, err := os.Stat(held); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	waited := false
	c.Progress = func(p hub.Progress) {
		if strings.Contains(p.Waiting, "another process") && !waited {
			waited = true
			if err := os.WriteFile(done, nil, 0o666); err != nil {
				t.Error(err)
			}
		}
	}
	download(t, c, clipName)
	if !waited {
		t.Error("goclip did not wait for Python's lock")
		_ = os.WriteFile(done, nil, 0o666)
	}
}
