package serve

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// fetcher gets images from addresses that strangers name. What it connects to is checked
// when it does, so that neither a redirect nor a name that stands for another machine the
// second time leads into a private network.
type fetcher struct {
	client *http.Client
	most   int64 // bytes
}

// errPrivate is the error of an address that is not to be asked.
var errPrivate = errors.New("the address is not a public one")

// fetchTime is how long an image may take to come.
const fetchTime = 20 * time.Second

func newFetcher(most int64, allowed func(netip.Addr) bool) *fetcher {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !allowed(at.Addr()) {
			return errPrivate
		}
		return nil
	}}
	return &fetcher{most: most, client: &http.Client{
		Timeout: fetchTime,
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: 10 * time.Second,
			MaxResponseHeaderBytes: 64 << 10, MaxIdleConns: 16, IdleConnTimeout: 30 * time.Second, // and no proxy, which would connect for us
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > 3 {
				return errors.New("more than 3 redirects")
			}
			return plainURL(req.URL)
		},
	}}
}

// plainURL refuses what is no plain address of the web.
func plainURL(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return errors.New("want http:// or https:// and a host")
	}
	return nil
}

// get returns a file.
func (f *fetcher) get(ctx context.Context, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err == nil {
		err = plainURL(u)
	}
	if err != nil {
		return nil, bad("the image's address is wrong: want http:// or https:// and a host")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, bad("the image's address is wrong")
	}
	req.Header.Set("Accept", "image/*")
	req.Header.Set("User-Agent", "goclip")
	resp, err := f.client.Do(req)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, errPrivate):
		return nil, bad("the image's address, or one that it leads to, is not a public one")
	case err != nil:
		return nil, bad("the image cannot be fetched from its address")
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, bad("the image's address answered with status %d", resp.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, f.most+1))
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil || len(data) == 0:
		return nil, bad("the image cannot be fetched from its address")
	case int64(len(data)) > f.most:
		return nil, bad("the image at its address is larger than %d bytes", f.most)
	}
	return data, nil
}

// closed are networks that are nobody's on the public Internet, or in which an address of
// another kind hides (IANA's special-purpose registries; RFC 6052, 3056 and 4380), beside
// those that netip knows.
const closed = "0.0.0.0/8 100.64.0.0/10 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 " +
	"::/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 fec0::/10"

// public tells whether an address may be asked.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsValid() || !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, n := range closedNetworks() {
		if n.Contains(a) {
			return false
		}
	}
	return true
}

func closedNetworks() (all []netip.Prefix) {
	for _, n := range strings.Fields(closed) {
		all = append(all, netip.MustParsePrefix(n))
	}
	return all
}
