package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"time"
)

// certificates is what a cluster needs so that clients can check who answers. The Data fields are in base64, as in a
// kubeconfig.
type certificates struct {
	Authority     string `json:"authority"`
	AuthorityData []byte `json:"authorityData"`
	// The authority of no cluster at all, under the name that clusters give to theirs.
	StrangerData []byte `json:"strangerData"`
	Certificate  string `json:"certificate"`
	Key          string `json:"key"`
}

// printCertificates makes an authority and the certificate of a server on 127.0.0.1.
func printCertificates(out io.Writer) error {
	authority, err := newAuthority()
	if err != nil {
		return err
	}
	stranger, err := newAuthority()
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	server := template("kube-apiserver")
	server.KeyUsage = x509.KeyUsageDigitalSignature
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 0, 0, 1)}
	server.DNSNames = []string{"localhost", "kubernetes.default.svc"}
	certificate, err := sign(server, authority.certificate, key.Public(), authority.key)
	if err != nil {
		return err
	}
	keyBytes, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(certificates{
		Authority:     string(authority.pem),
		AuthorityData: authority.pem,
		StrangerData:  stranger.pem,
		Certificate:   string(certificate),
		Key:           string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyBytes})),
	})
}

type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	pem         []byte
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	certificate := template("kubernetes")
	certificate.IsCA = true
	certificate.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	signed, err := sign(certificate, certificate, key.Public(), key)
	return &authority{certificate, key, signed}, err
}

func template(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.AddDate(0, 0, 30),
		BasicConstraintsValid: true,
	}
}

func sign(certificate, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, certificate, parent, public, key)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), err
}
