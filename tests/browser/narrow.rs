//! The page on a phone: nothing overflows, and every control can be touched.

use serde_json::{Value, json};
use tests::chat::{ChatClient, ChatServer};

use crate::browsers;
use crate::page::{PHONE, Page};

/// Returns the elements that overflow the width of the page, and the controls that cannot be touched.
const MISFITS: &str = r"
    const width = document.documentElement.clientWidth;
    const name = (element) => `${element.localName}#${element.id}.${element.className}`;
    const misfits = [];
    for (const scrolling of [document.documentElement, document.body, document.querySelector('#messages')]) {
        if (scrolling.scrollWidth > scrolling.clientWidth) misfits.push(`${name(scrolling)} scrolls sideways`);
    }
    const dialog = document.querySelector('dialog[open]');
    const part = dialog ?? document.querySelector('.sidebar.open, .people.open') ?? document.body;
    for (const element of part.querySelectorAll('*')) {
        if (!element.checkVisibility({ visibilityProperty: true }) || element.closest('.sr, svg, .follows')) continue;
        const { left, right, width: wide, height } = element.getBoundingClientRect();
        let box = element.parentElement;
        while (box !== document.body && getComputedStyle(box).overflowX !== 'hidden') box = box.parentElement;
        const isCut = box !== document.body && box.getBoundingClientRect().right <= width;
        if (!isCut && (left < -0.5 || right > width + 0.5)) misfits.push(`${name(element)} from ${left} to ${right}`);
        if (!element.matches('button, input, textarea')) continue;
        element.scrollIntoView({ block: 'nearest' });
        const at = element.getBoundingClientRect();
        const hit = document.elementFromPoint(at.left + at.width / 2, at.top + at.height / 2);
        if (!element.contains(hit) && !element.labels?.[0]?.contains(hit)) misfits.push(`${name(element)} is under ${hit && name(hit)}`);
        const target = element.labels?.length && element.type === 'checkbox' ? element.labels[0].getBoundingClientRect() : at;
        if (target.height < 24 || target.width < 24) misfits.push(`${name(element)} is ${target.width} by ${target.height}`);
    }
    return misfits";

async fn assert_fits(page: &Page<'_>, state: &str) {
    // Taking the screenshot waits for the end of animations.
    page.screenshot(&format!("phone-fits-{state}")).await;
    assert_eq!(page.run(MISFITS, Vec::<Value>::new()).await, json!([]), "{state}");
}

#[tokio::test]
async fn nothing_overflows_at_a_width_of_375_and_every_control_can_be_touched() {
    let Some((driver, _permit)) = browsers().await else { return };
    let mut chat = ChatServer::start();
    let (long_user, long_room) = ("W".repeat(64), "M".repeat(50));
    let mut other = ChatClient::connect(&chat, &long_user).await;
    other.join(&long_room).await;
    other.post(&long_room, &"unbroken".repeat(100)).await;
    other.post(&long_room, "short").await;

    let page = Page::open(&driver, "alice", PHONE, &chat.url("/")).await;
    page.until("#enter", &["Enter"]).await;
    assert_fits(&page, "entrance").await;
    page.screenshots("phone-entrance").await;
    page.go(&chat.url(&format!("/?user={}", "w".repeat(64)))).await;
    page.until("#state", &["online"]).await;
    page.until("#nothing-title", &["Nothing here yet"]).await;
    assert_fits(&page, "empty").await;
    page.click("#open-rooms").await;
    page.until("#rooms .name", &["lobby", &long_room]).await;
    assert_fits(&page, "conversations").await;
    page.click(&format!("#rooms [data-key='#{long_room}']")).await;
    page.until("#current-room", &[&long_room]).await;
    page.until("#messages .text", &[&"unbroken".repeat(100), "short"]).await;
    other.expect("user_joined_room").await;
    other.send("typing_start", json!({ "room": long_room })).await;
    page.until("#typing", &[&format!("{long_user} is typing…")]).await;
    assert_fits(&page, "room").await;
    page.screenshots("phone-room").await;
    page.click("#open-members").await;
    page.until_exists("#members [data-key]").await;
    assert_fits(&page, "members").await;
    page.screenshots("phone-members").await;
    page.click(&format!("#members [data-key='{long_user}']")).await;
    page.until("#current-room", &[&long_user]).await;
    page.write("#text", &"a long text that needs lines\n".repeat(20)).await;
    assert_fits(&page, "private").await;

    page.click("#open-rooms").await;
    page.write("#new-room", &format!("{}x", "M".repeat(49))).await;
    page.click("#new-room-private").await;
    page.click("#create-room").await;
    page.until("#about", &["Private room · 1 member"]).await;
    assert_fits(&page, "own-room").await;
    page.click("#invite").await;
    page.until_exists("#invitation[open]").await;
    assert_fits(&page, "invitation").await;
    page.write("#invite-user", &long_user).await;
    page.click("#send-invite").await;
    page.until_exists("#notice:not([hidden])").await;
    assert_fits(&page, "notice").await;
    assert!(chat.stop().success());
    page.until_exists("#state[data-state='reconnecting']").await;
    assert_fits(&page, "reconnecting").await;
    assert_eq!(page.violations().await, json!([]));
}
