package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// weaviate has a real server of Weaviate's embed images through us, and compares what it finds
// with "goclip search".
func weaviate(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("weaviate", flag.ExitOnError)
	goclip := flags.String("goclip", "goclip", "the command")
	binary := flags.String("server", "weaviate-server", "Weaviate's server")
	model := flags.String("model", "", "folder of the model")
	images := flags.String("images", "", "folder of images")
	_ = flags.Parse(args)
	dir, err := os.MkdirTemp("", "goclip-weaviate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	photos, shots := filepath.Join(dir, "photos.index"), filepath.Join(dir, "photos")
	names, err := link(*images, shots)
	if err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, *goclip, "index", "--model", *model, "--data", shots, "--out", photos).CombinedOutput(); err != nil {
		return fmt.Errorf("goclip index: %w: %s", err, out)
	}
	s, err := start(ctx, *goclip, "--model", "m="+*model, "--preload")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	w, end, err := startWeaviate(ctx, *binary, dir, s.base)
	if err != nil {
		return err
	}
	defer end()

	client := http.DefaultClient
	class := `{"class":"Photo","vectorizer":"multi2vec-clip","moduleConfig":{"multi2vec-clip":{"imageFields":["image"]}},"properties":[{"name":"image","dataType":["blob"]},{"name":"file","dataType":["text"]}]}`
	var created any
	if err := ask(ctx, client, w+"/v1/schema", jsonType, []byte(class), &created); err != nil {
		return err
	}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(shots, name))
		if err != nil {
			return err
		}
		object, _ := json.Marshal(map[string]any{"class": "Photo", "properties": map[string]string{"file": name, "image": base64.StdEncoding.EncodeToString(data)}})
		if err := ask(ctx, client, w+"/v1/objects", jsonType, object, &created); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	compared := 0
	for _, query := range append(texts(), names[:3]...) {
		search, near := []string{query}, fmt.Sprintf("nearText:{concepts:[%s]}", quoted(query))
		if slices.Contains(names, query) {
			data, err := os.ReadFile(filepath.Join(shots, query))
			if err != nil {
				return err
			}
			search, near = []string{"--image", filepath.Join(shots, query)}, fmt.Sprintf("nearImage:{image:%s}", quoted(base64.StdEncoding.EncodeToString(data)))
		}
		got, err := nearest(ctx, w, near, len(names))
		if err != nil {
			return err
		}
		want, err := ours(ctx, *goclip, *model, photos, search, len(names))
		if err != nil {
			return err
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("%s: Weaviate finds %q, goclip search %q", query, got, want)
		}
		compared++
	}
	fmt.Printf("%d images imported by Weaviate; %d queries (nearText, nearImage) found all of them in the order of goclip search\n", len(names), compared)
	return nil
}

// link makes a folder of the images alone, in a folder's order.
func link(from, to string) (names []string, err error) {
	entries, err := os.ReadDir(from)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return nil, err
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); ext == ".jpg" || ext == ".png" {
			data, err := os.ReadFile(filepath.Join(from, e.Name()))
			if err == nil {
				err = os.WriteFile(filepath.Join(to, e.Name()), data, 0o600)
			}
			if err != nil {
				return nil, err
			}
			names = append(names, e.Name())
		}
	}
	if len(names) < 3 {
		return nil, fmt.Errorf("%s has %d images, want at least 3", from, len(names))
	}
	return names, nil
}

func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

// startWeaviate starts a server on ports of its own, with its files below dir.
func startWeaviate(ctx context.Context, binary, dir, clip string) (base string, end func(), err error) {
	var ports []string
	for range 4 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", nil, err
		}
		l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ports = append(ports, port)
	}
	data := filepath.Join(dir, "weaviate")
	cmd := exec.CommandContext(ctx, binary, "--host", "127.0.0.1", "--port", ports[0], "--scheme", "http")
	cmd.Env = append(os.Environ(), "CLIP_INFERENCE_API="+clip, "ENABLE_MODULES=multi2vec-clip", "DEFAULT_VECTORIZER_MODULE=multi2vec-clip",
		"PERSISTENCE_DATA_PATH="+data, "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED=true", "CLUSTER_HOSTNAME=node1", "CLUSTER_ADVERTISE_ADDR=127.0.0.1",
		"CLUSTER_GOSSIP_BIND_PORT="+ports[1], "CLUSTER_DATA_BIND_PORT="+ports[2], "RAFT_BOOTSTRAP_EXPECT=1", "DISABLE_TELEMETRY=true", "GRPC_PORT="+ports[3])
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Dir = &said, &said, dir
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	end = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}
	base = "http://127.0.0.1:" + ports[0]
	for range 240 {
		resp, err := http.Get(base + "/v1/.well-known/ready")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return base, end, nil
			}
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			end()
			return "", nil, ctx.Err()
		}
	}
	end()
	return "", nil, fmt.Errorf("weaviate did not start: %s", said.String())
}

// nearest is what Weaviate finds, the nearest first.
func nearest(ctx context.Context, base, near string, n int) ([]string, error) {
	query, _ := json.Marshal(map[string]string{"query": fmt.Sprintf("{Get{Photo(limit:%d,%s){file _additional{distance}}}}", n, near)})
	var a struct {
		Data struct {
			Get struct{ Photo []struct{ File string } }
		}
		Errors []struct{ Message string }
	}
	if err := ask(ctx, http.DefaultClient, base+"/v1/graphql", jsonType, query, &a); err != nil {
		return nil, err
	}
	if len(a.Errors) > 0 {
		return nil, fmt.Errorf("weaviate: %s", a.Errors[0].Message)
	}
	var found []string
	for _, p := range a.Data.Get.Photo {
		found = append(found, p.File)
	}
	return found, nil
}

// ours is what goclip search finds.
func ours(ctx context.Context, goclip, model, photos string, query []string, n int) ([]string, error) {
	cmd := exec.CommandContext(ctx, goclip, append([]string{"search", "--model", model, "--index", photos, "-k", fmt.Sprint(n), "--json"}, query...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("goclip search: %w: %s", err, said.String())
	}
	var found []struct{ Hits []struct{ Key string } }
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&found); err != nil || len(found) != 1 {
		return nil, fmt.Errorf("goclip search: %w in %.200s", err, out)
	}
	var keys []string
	for _, h := range found[0].Hits {
		keys = append(keys, filepath.Base(strings.ReplaceAll(h.Key, `\`, "/")))
	}
	return keys, nil
}
