//! JSON Web Tokens: valid ones, invalid ones, and weak secrets.

use std::sync::LazyLock;
use std::time::UNIX_EPOCH;

use agentcore::auth::JwtAuthenticator;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use proptest::prelude::*;

use crate::*;

const SECRET: &str = "p9T2vQ7xLmZ4wK8sNc3RbY6hJd1FgA5e";
/// An RSA key, and a token of `ada` until 2100 signed with its private half.
const RSA: &str = include_str!("keys/rsa_public.pem");
const RSA_TOKEN: &str = include_str!("keys/ada_rs256.jwt");
/// An elliptic-curve key pair, made for this run.
static ELLIPTIC: LazyLock<rcgen::KeyPair> = LazyLock::new(|| rcgen::KeyPair::generate().expect("a key"));

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn sign(claims: &Value) -> String {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(SECRET.as_bytes())).expect("a token")
}

fn secret() -> JwtAuthenticator {
    JwtAuthenticator::hs256(SECRET).expect("a good secret")
}

fn verdict(tokens: &JwtAuthenticator, token: &str) -> Result<String, String> {
    tokens.verify(token).map(|identity| identity.user().to_string()).map_err(|error| {
        assert_eq!(error.code(), "UNAUTHENTICATED");
        error.message().to_owned()
    })
}

#[tokio::test]
async fn a_token_identifies_its_user_and_claims_until_it_expires() {
    let (app, _) = open(embedded());
    let server = Inside::of(app.authenticator(secret().leeway(Duration::ZERO))).await;
    let token = sign(&json!({ "sub": "ada", "exp": now() + 100, "role": "admin" }));
    let mut ada = connect(&server, &format!("/as/ada?token={token}")).await;
    assert_eq!(who(&mut ada).await["user"], "ada");
    assert_eq!(refusal(&server, &format!("/as/bob?token={token}"), &[]).await.0, 403, "the token of another user");
    let mut ada = connect(&server, &format!("/ws?token={token}")).await;
    assert_eq!(who(&mut ada).await["role"], "admin");
    let fresh = sign(&json!({ "sub": "ada", "exp": now() + 1000, "role": "guest" }));
    let left = ada.ask("agentcore.auth", json!({ "token": fresh })).await["data"]["expires_in_ms"].clone();
    assert!((998_000..=1_000_000).contains(&left.as_u64().expect("a number")), "{left}");
    assert_eq!(who(&mut ada).await["role"], "guest");
    assert_eq!(refusal(&server, "/ws", &[]).await.1["message"], "a token is required");
    let gone = sign(&json!({ "sub": "ada", "exp": now() - 1 }));
    let (status, error) = refusal(&server, &format!("/ws?token={gone}"), &[]).await;
    assert_eq!((status, &error["message"]), (401, &json!("the token has expired")));
}

#[test]
fn claims_about_time_and_place_are_kept() {
    let good = || json!({ "sub": "ada", "exp": now() + 100 });
    let with = |name: &str, value: Value| {
        let mut claims = good();
        claims[name] = value;
        sign(&claims)
    };
    let invalid = || Err("the token is not valid".to_owned());
    let plain = secret();
    assert_eq!(verdict(&plain, &sign(&good())), Ok("ada".to_owned()));
    assert_eq!(verdict(&plain, &with("exp", json!(now() - 20))), Ok("ada".to_owned()), "within the leeway");
    assert_eq!(verdict(&plain, &with("exp", json!(now() - 40))), Err("the token has expired".to_owned()));
    assert_eq!(verdict(&plain, &with("nbf", json!(now() + 20))), Ok("ada".to_owned()), "within the leeway");
    assert_eq!(verdict(&plain, &with("nbf", json!(now() + 60))), Err("the token is not valid yet".to_owned()));
    assert_eq!(verdict(&plain, &sign(&json!({ "sub": "ada" }))), invalid(), "for ever");
    assert_eq!(verdict(&plain, &with("aud", json!("others"))), invalid(), "for somebody else");
    let placed = secret().audience("chat").issuer("login");
    assert_eq!(verdict(&placed, &sign(&good())), invalid());
    assert_eq!(verdict(&placed, &with("aud", json!("chat"))), invalid(), "of nobody");
    for (aud, iss, holds) in [("chat", "login", true), ("other", "login", false), ("chat", "evil", false)] {
        let claims = json!({ "sub": "ada", "exp": now() + 100, "aud": [aud], "iss": iss });
        assert_eq!(verdict(&placed, &sign(&claims)).is_ok(), holds, "{claims}");
    }
}

#[test]
fn no_leeway_is_too_long_for_the_clock() {
    let tokens = secret().leeway(Duration::MAX);
    assert_eq!(verdict(&tokens, &sign(&json!({ "sub": "ada", "exp": now() - 3600 }))), Ok("ada".to_owned()));
    let gone = sign(&json!({ "sub": "ada", "exp": now() - 100_000 }));
    assert_eq!(verdict(&tokens, &gone), Err("the token has expired".to_owned()), "a day is the maximum");
}

#[test]
fn the_user_comes_from_the_configured_claim() {
    let tokens = secret().user_claim("user_id").grace(Duration::from_secs(7));
    let token = |user: Value| sign(&json!({ "sub": "other", "user_id": user, "exp": now() + 100 }));
    assert_eq!(verdict(&tokens, &token(json!("ada"))), Ok("ada".to_owned()));
    assert_eq!(verdict(&tokens, &token(json!(42))), Ok("42".to_owned()));
    for none in [json!(null), json!(""), json!("a\nb"), json!("x".repeat(65)), json!(1.5), json!(["ada"]), json!(true)]
    {
        assert_eq!(
            verdict(&tokens, &token(none.clone())),
            Err("the token names no user in `user_id`".to_owned()),
            "{none}"
        );
    }
    let identity = tokens.verify(&token(json!("ada"))).expect("it holds");
    assert_eq!((identity.grace(), identity.claim::<String>("sub").as_deref()), (Duration::from_secs(7), Some("other")));
}

#[test]
fn each_algorithm_takes_its_own_tokens_and_no_others() {
    let claims = json!({ "sub": "ada", "exp": now() + 100 });
    let elliptic = JwtAuthenticator::es256(ELLIPTIC.public_key_pem()).expect("a key");
    let private = EncodingKey::from_ec_pem(ELLIPTIC.serialize_pem().as_bytes()).expect("a key");
    let es256 = encode(&Header::new(Algorithm::ES256), &claims, &private).expect("a token");
    let rsa = JwtAuthenticator::rs256(RSA).expect("a key");
    // The public key as the HMAC secret, which deceives a verifier that trusts the header.
    let confused = |pem: &str| {
        encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(pem.as_bytes())).expect("a token")
    };
    let hs384 = encode(&Header::new(Algorithm::HS384), &claims, &EncodingKey::from_secret(SECRET.as_bytes()));
    assert_eq!(verdict(&elliptic, &es256), Ok("ada".to_owned()));
    assert_eq!(verdict(&rsa, RSA_TOKEN), Ok("ada".to_owned()));
    for (tokens, token) in [
        (&elliptic, &sign(&claims)),
        (&elliptic, &confused(&ELLIPTIC.public_key_pem())),
        (&elliptic, &RSA_TOKEN.to_owned()),
        (&rsa, &confused(RSA)),
        (&rsa, &es256),
        (&secret(), &es256),
        (&secret(), &RSA_TOKEN.to_owned()),
        (&secret(), &hs384.expect("a token")),
    ] {
        assert_eq!(verdict(tokens, token), Err("the token is not valid".to_owned()), "{token}");
    }
}

#[test]
fn a_token_without_its_own_signature_is_invalid() {
    let good = sign(&json!({ "sub": "ada", "exp": now() + 100 }));
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    // {"alg":"none","typ":"JWT"}, {"alg":"None"}, {"alg":"HS256"} without a signature.
    let none = ["eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0", "eyJhbGciOiJOb25lIn0"];
    let forged: Vec<_> = none
        .iter()
        .flat_map(|none| {
            [format!("{none}.{claims}."), format!("{none}.{claims}"), format!("{none}.{claims}.{signature}")]
        })
        .chain([format!("{header}.{claims}."), format!("{header}.{claims}"), format!("{good}."), String::new()])
        .chain([sign(&json!({ "sub": "eve", "exp": now() + 100 }))].map(|eve| {
            let claims = eve.split('.').nth(1).expect("claims").to_owned();
            format!("{header}.{claims}.{signature}")
        }))
        .collect();
    for token in forged {
        assert_eq!(verdict(&secret(), &token), Err("the token is not valid".to_owned()), "{token}");
    }
}

#[test]
fn a_token_that_demands_an_extension_is_not_valid() {
    let mut header = Header::new(Algorithm::HS256);
    let claims = json!({ "sub": "ada", "exp": now() + 100 });
    let mut with = |crit: Option<Vec<String>>| {
        header.crit = crit;
        encode(&header, &claims, &EncodingKey::from_secret(SECRET.as_bytes())).expect("a token")
    };
    assert_eq!(verdict(&secret(), &with(None)), Ok("ada".to_owned()));
    let demanding = with(Some(vec!["b64".to_owned()]));
    assert_eq!(verdict(&secret(), &demanding), Err("the token is not valid".to_owned()));
}

#[test]
fn weak_secrets_and_invalid_keys_are_refused_at_start() {
    for weak in ["", "qwerty", "0123456789abcdef0123456789abcde", &"a".repeat(64), &"qwerty".repeat(8)] {
        let error = JwtAuthenticator::hs256(weak).expect_err("it is weak");
        assert_eq!(error.code(), "CANNOT_START");
        assert!(
            error.message().contains("too weak") && (weak.is_empty() || !error.message().contains(weak)),
            "{error}"
        );
    }
    for bad in ["", "nonsense", SECRET] {
        assert_eq!(JwtAuthenticator::rs256(bad).expect_err("no key").code(), "CANNOT_START");
        assert_eq!(JwtAuthenticator::es256(bad).expect_err("no key").code(), "CANNOT_START");
    }
    assert_eq!(JwtAuthenticator::rs256(ELLIPTIC.public_key_pem()).expect_err("another key").code(), "CANNOT_START");
}

proptest! {
    #[test]
    fn no_text_is_a_token_by_chance(text in "\\PC{0,80}") {
        prop_assert!(secret().verify(&text).is_err());
    }

    #[test]
    fn one_changed_character_makes_a_token_invalid(at in 0usize..120, with in "[A-Za-z0-9_-]") {
        let good = sign(&json!({ "sub": "ada", "exp": now() + 100 }));
        let at = at % good.len();
        let mut forged = good.clone();
        forged.replace_range(at..=at, &with);
        // The last base64 character contains unused bits.
        prop_assume!(forged != good && at + 1 != good.len());
        prop_assert!(secret().verify(&forged).is_err(), "{}", forged);
    }
}
