package main

import (
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goclip/goclip/encoder"
)

// mixed lets honest clients ask for embeddings while hostile ones do what they can. Every
// honest answer has to come and to be right, and memory has to stay as it was.
func mixed(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("mixed", flag.ExitOnError)
	goclip := flags.String("goclip", "goclip", "the command")
	model := flags.String("model", "", "folder of the model")
	pattern := flags.String("images", "", "pattern of image files")
	length := flags.Duration("for", 10*time.Minute, "how long")
	stall := flags.String("stall", "10s", "the server's --stall")
	_ = flags.Parse(args)
	data, err := files(*pattern)
	if err != nil {
		return err
	}
	m, err := encoder.Load(*model, nil)
	if err != nil {
		return err
	}
	defer m.Close()
	want, err := rowsOf(ctx, m, data)
	if err != nil {
		return err
	}
	s, err := start(ctx, *goclip, "--model", "m="+*model, "--preload", "--stall", *stall, "--max-body", "8MB", "--queue", "512")
	if err != nil {
		return err
	}
	var spoken []spoken
	for _, name := range []string{"immich", "weaviate", "openai", "photofield"} {
		d, err := dialectOf(name, data)
		if err != nil {
			return errors.Join(err, s.stop())
		}
		spoken = append(spoken, d)
	}
	over, cancel := context.WithTimeout(ctx, *length)
	defer cancel()
	var wg sync.WaitGroup
	var honest, bad, hostile atomic.Int64
	var first sync.Once
	var wrong error
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	for c := range 12 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := c; over.Err() == nil; i++ {
				k := i % len(data)
				honest.Add(1)
				if err := spoken[i%len(spoken)].ask(ctx, client, s.base, k, want[k]); err != nil {
					bad.Add(1)
					first.Do(func() { wrong = err })
				}
			}
		}()
	}
	attacks := attacks(data)
	for c := range 12 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(1, uint64(c)))
			for over.Err() == nil {
				hostile.Add(1)
				attacks[r.IntN(len(attacks))](over, s.base, r)
			}
		}()
	}
	// The first third is for pools and caches to fill.
	var early, late float64
	for from := time.Now(); over.Err() == nil; time.Sleep(*length / 60) {
		if rss := resident(client, s.base); time.Since(from) < *length/3 {
			early = max(early, rss)
		} else {
			late = max(late, rss)
		}
	}
	wg.Wait()
	fmt.Printf("answers by status: %v\n", statuses(client, s.base))
	fmt.Printf("%v: %d honest requests, of which %d went wrong; %d hostile ones; most memory %.0f MB in the first third, %.0f MB after it\n",
		*length, honest.Load(), bad.Load(), hostile.Load(), early/1e6, late/1e6)
	switch {
	case bad.Load() > 0:
		err = fmt.Errorf("the first of the honest that went wrong: %w", wrong)
	case early == 0 || late > 1.25*early+64e6:
		err = errors.New("memory grows")
	case honest.Load() == 0 || hostile.Load() == 0:
		err = errors.New("nothing was tried")
	}
	return errors.Join(err, s.stop())
}

// metrics are what the server says of itself.
func metrics(client *http.Client, base string) []byte {
	resp, err := client.Get(base + "/metrics")
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return text
}

// statuses counts what was answered.
func statuses(client *http.Client, base string) map[string]int {
	count := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^goclip_requests_total\{code="(\d+)".* (\d+)$`).FindAllSubmatch(metrics(client, base), -1) {
		n, _ := strconv.Atoi(string(m[2]))
		count[string(m[1])] += n
	}
	return count
}

// resident is the server's memory.
func resident(client *http.Client, base string) float64 {
	text := metrics(client, base)
	found := regexp.MustCompile(`(?m)^process_resident_memory_bytes (\S+)$`).FindSubmatch(text)
	if found == nil {
		return 0
	}
	v, _ := strconv.ParseFloat(string(found[1]), 64)
	return v
}

// attacks are what hostile clients do. None waits for an answer that it does not need.
func attacks(data [][]byte) []func(ctx context.Context, base string, r *rand.Rand) {
	send := func(ctx context.Context, base, text string, wait time.Duration) {
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(base, "http://"), time.Second)
		if err != nil {
			return
		}
		defer conn.Close()
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		defer stop()
		_ = conn.SetDeadline(time.Now().Add(wait))
		_, _ = conn.Write([]byte(text))
		_, _ = io.Copy(io.Discard, io.LimitReader(conn, 1<<16))
	}
	post := func(path, body string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
	}
	image := func(file []byte) string {
		return post("/vectorize", `{"images":["`+base64.StdEncoding.EncodeToString(file)+`"]}`)
	}
	return []func(ctx context.Context, base string, r *rand.Rand){
		func(ctx context.Context, base string, r *rand.Rand) { // a damaged image
			file := append([]byte(nil), data[r.IntN(len(data))]...)
			for range 20 {
				file[r.IntN(len(file))] = byte(r.Uint32())
			}
			send(ctx, base, image(file), 10*time.Second)
		},
		func(ctx context.Context, base string, r *rand.Rand) { // an image cut off
			file := data[r.IntN(len(data))]
			send(ctx, base, image(file[:r.IntN(len(file))]), 10*time.Second)
		},
		func(ctx context.Context, base string, r *rand.Rand) { // sends a part and waits
			text := image(data[r.IntN(len(data))])
			send(ctx, base, text[:r.IntN(len(text))], 15*time.Second)
		},
		func(ctx context.Context, base string, r *rand.Rand) { // asks and leaves
			send(ctx, base, image(data[r.IntN(len(data))]), time.Duration(r.IntN(20))*time.Millisecond)
		},
		func(ctx context.Context, base string, r *rand.Rand) { // more than is allowed
			send(ctx, base, post("/vectorize", `{"texts":["`+strings.Repeat("a", 9<<20)+`"]}`), 5*time.Second)
		},
		func(ctx context.Context, base string, r *rand.Rand) { // nesting
			send(ctx, base, post("/v1/embeddings", `{"input":`+strings.Repeat("[", 1<<20)), 5*time.Second)
		},
		func(ctx context.Context, base string, r *rand.Rand) { // a file of a few bytes that says 60,000 × 60,000 pixels
			send(ctx, base, image([]byte("BM\x00\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00\x60\xea\x00\x00\x60\xea\x00\x00\x01\x00\x18\x00"+strings.Repeat("\x00", 64))), 5*time.Second)
		},
		func(ctx context.Context, base string, r *rand.Rand) { // long texts, in many languages of bytes
			text := strings.Repeat("\u0958\u0301\U0001F468\u200d", 1500)
			send(ctx, base, post("/v1/embeddings", `{"input":["`+text+`","`+text+`"]}`), 10*time.Second)
		},
		func(ctx context.Context, base string, r *rand.Rand) { // a form of many parts
			body := strings.Repeat("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n", 10000)
			send(ctx, base, strings.Replace(post("/predict", body), "application/json", "multipart/form-data; boundary=x", 1), 5*time.Second)
		},
		func(ctx context.Context, base string, r *rand.Rand) { // no HTTP
			junk := make([]byte, 4096)
			for i := range junk {
				junk[i] = byte(r.Uint32())
			}
			send(ctx, base, string(junk), 2*time.Second)
		},
		func(ctx context.Context, base string, r *rand.Rand) { // where it should not go
			send(ctx, base, post("/v1/embeddings", `{"input":[{"image":"http://169.254.169.254/latest/meta-data"}]}`), 5*time.Second)
		},
	}
}
