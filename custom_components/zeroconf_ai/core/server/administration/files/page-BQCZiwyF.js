var e=globalThis,t=e.ShadowRoot&&(e.ShadyCSS===void 0||e.ShadyCSS.nativeShadow)&&`adoptedStyleSheets`in Document.prototype&&`replace`in CSSStyleSheet.prototype,n=Symbol(),r=new WeakMap,i=class{constructor(e,t,r){if(this._$cssResult$=!0,r!==n)throw Error("CSSResult is not constructable. Use `unsafeCSS` or `css` instead.");this.cssText=e,this.t=t}get styleSheet(){let e=this.o,n=this.t;if(t&&e===void 0){let t=n!==void 0&&n.length===1;t&&(e=r.get(n)),e===void 0&&((this.o=e=new CSSStyleSheet).replaceSync(this.cssText),t&&r.set(n,e))}return e}toString(){return this.cssText}},a=e=>new i(typeof e==`string`?e:e+``,void 0,n),o=(e,...t)=>new i(e.length===1?e[0]:t.reduce((t,n,r)=>t+(e=>{if(!0===e._$cssResult$)return e.cssText;if(typeof e==`number`)return e;throw Error(`Value passed to 'css' function must be a 'css' function result: `+e+`. Use 'unsafeCSS' to pass non-literal values, but take care to ensure page security.`)})(n)+e[r+1],e[0]),e,n),s=(n,r)=>{if(t)n.adoptedStyleSheets=r.map(e=>e instanceof CSSStyleSheet?e:e.styleSheet);else for(let t of r){let r=document.createElement(`style`),i=e.litNonce;i!==void 0&&r.setAttribute(`nonce`,i),r.textContent=t.cssText,n.appendChild(r)}},c=t?e=>e:e=>e instanceof CSSStyleSheet?(e=>{let t=``;for(let n of e.cssRules)t+=n.cssText;return a(t)})(e):e,{is:l,defineProperty:u,getOwnPropertyDescriptor:d,getOwnPropertyNames:f,getOwnPropertySymbols:p,getPrototypeOf:m}=Object,h=globalThis,ee=h.trustedTypes,te=ee?ee.emptyScript:``,ne=h.reactiveElementPolyfillSupport,re=(e,t)=>e,ie={toAttribute(e,t){switch(t){case Boolean:e=e?te:null;break;case Object:case Array:e=e==null?e:JSON.stringify(e)}return e},fromAttribute(e,t){let n=e;switch(t){case Boolean:n=e!==null;break;case Number:n=e===null?null:Number(e);break;case Object:case Array:try{n=JSON.parse(e)}catch{n=null}}return n}},ae=(e,t)=>!l(e,t),oe={attribute:!0,type:String,converter:ie,reflect:!1,useDefault:!1,hasChanged:ae};Symbol.metadata??=Symbol(`metadata`),h.litPropertyMetadata??=new WeakMap;var se=class extends HTMLElement{static addInitializer(e){this._$Ei(),(this.l??=[]).push(e)}static get observedAttributes(){return this.finalize(),this._$Eh&&[...this._$Eh.keys()]}static createProperty(e,t=oe){if(t.state&&(t.attribute=!1),this._$Ei(),this.prototype.hasOwnProperty(e)&&((t=Object.create(t)).wrapped=!0),this.elementProperties.set(e,t),!t.noAccessor){let n=Symbol(),r=this.getPropertyDescriptor(e,n,t);r!==void 0&&u(this.prototype,e,r)}}static getPropertyDescriptor(e,t,n){let{get:r,set:i}=d(this.prototype,e)??{get(){return this[t]},set(e){this[t]=e}};return{get:r,set(t){let a=r?.call(this);i?.call(this,t),this.requestUpdate(e,a,n)},configurable:!0,enumerable:!0}}static getPropertyOptions(e){return this.elementProperties.get(e)??oe}static _$Ei(){if(this.hasOwnProperty(re(`elementProperties`)))return;let e=m(this);e.finalize(),e.l!==void 0&&(this.l=[...e.l]),this.elementProperties=new Map(e.elementProperties)}static finalize(){if(this.hasOwnProperty(re(`finalized`)))return;if(this.finalized=!0,this._$Ei(),this.hasOwnProperty(re(`properties`))){let e=this.properties,t=[...f(e),...p(e)];for(let n of t)this.createProperty(n,e[n])}let e=this[Symbol.metadata];if(e!==null){let t=litPropertyMetadata.get(e);if(t!==void 0)for(let[e,n]of t)this.elementProperties.set(e,n)}this._$Eh=new Map;for(let[e,t]of this.elementProperties){let n=this._$Eu(e,t);n!==void 0&&this._$Eh.set(n,e)}this.elementStyles=this.finalizeStyles(this.styles)}static finalizeStyles(e){let t=[];if(Array.isArray(e)){let n=new Set(e.flat(1/0).reverse());for(let e of n)t.unshift(c(e))}else e!==void 0&&t.push(c(e));return t}static _$Eu(e,t){let n=t.attribute;return!1===n?void 0:typeof n==`string`?n:typeof e==`string`?e.toLowerCase():void 0}constructor(){super(),this._$Ep=void 0,this.isUpdatePending=!1,this.hasUpdated=!1,this._$Em=null,this._$Ev()}_$Ev(){this._$ES=new Promise(e=>this.enableUpdating=e),this._$AL=new Map,this._$E_(),this.requestUpdate(),this.constructor.l?.forEach(e=>e(this))}addController(e){(this._$EO??=new Set).add(e),this.renderRoot!==void 0&&this.isConnected&&e.hostConnected?.()}removeController(e){this._$EO?.delete(e)}_$E_(){let e=new Map,t=this.constructor.elementProperties;for(let n of t.keys())this.hasOwnProperty(n)&&(e.set(n,this[n]),delete this[n]);e.size>0&&(this._$Ep=e)}createRenderRoot(){let e=this.shadowRoot??this.attachShadow(this.constructor.shadowRootOptions);return s(e,this.constructor.elementStyles),e}connectedCallback(){this.renderRoot??=this.createRenderRoot(),this.enableUpdating(!0),this._$EO?.forEach(e=>e.hostConnected?.())}enableUpdating(e){}disconnectedCallback(){this._$EO?.forEach(e=>e.hostDisconnected?.())}attributeChangedCallback(e,t,n){this._$AK(e,n)}_$ET(e,t){let n=this.constructor.elementProperties.get(e),r=this.constructor._$Eu(e,n);if(r!==void 0&&!0===n.reflect){let i=(n.converter?.toAttribute===void 0?ie:n.converter).toAttribute(t,n.type);this._$Em=e,i==null?this.removeAttribute(r):this.setAttribute(r,i),this._$Em=null}}_$AK(e,t){let n=this.constructor,r=n._$Eh.get(e);if(r!==void 0&&this._$Em!==r){let e=n.getPropertyOptions(r),i=typeof e.converter==`function`?{fromAttribute:e.converter}:e.converter?.fromAttribute===void 0?ie:e.converter;this._$Em=r;let a=i.fromAttribute(t,e.type);this[r]=a??this._$Ej?.get(r)??a,this._$Em=null}}requestUpdate(e,t,n,r=!1,i){if(e!==void 0){let a=this.constructor;if(!1===r&&(i=this[e]),n??=a.getPropertyOptions(e),!((n.hasChanged??ae)(i,t)||n.useDefault&&n.reflect&&i===this._$Ej?.get(e)&&!this.hasAttribute(a._$Eu(e,n))))return;this.C(e,t,n)}!1===this.isUpdatePending&&(this._$ES=this._$EP())}C(e,t,{useDefault:n,reflect:r,wrapped:i},a){n&&!(this._$Ej??=new Map).has(e)&&(this._$Ej.set(e,a??t??this[e]),!0!==i||a!==void 0)||(this._$AL.has(e)||(this.hasUpdated||n||(t=void 0),this._$AL.set(e,t)),!0===r&&this._$Em!==e&&(this._$Eq??=new Set).add(e))}async _$EP(){this.isUpdatePending=!0;try{await this._$ES}catch(e){Promise.reject(e)}let e=this.scheduleUpdate();return e!=null&&await e,!this.isUpdatePending}scheduleUpdate(){return this.performUpdate()}performUpdate(){if(!this.isUpdatePending)return;if(!this.hasUpdated){if(this.renderRoot??=this.createRenderRoot(),this._$Ep){for(let[e,t]of this._$Ep)this[e]=t;this._$Ep=void 0}let e=this.constructor.elementProperties;if(e.size>0)for(let[t,n]of e){let{wrapped:e}=n,r=this[t];!0!==e||this._$AL.has(t)||r===void 0||this.C(t,void 0,n,r)}}let e=!1,t=this._$AL;try{e=this.shouldUpdate(t),e?(this.willUpdate(t),this._$EO?.forEach(e=>e.hostUpdate?.()),this.update(t)):this._$EM()}catch(t){throw e=!1,this._$EM(),t}e&&this._$AE(t)}willUpdate(e){}_$AE(e){this._$EO?.forEach(e=>e.hostUpdated?.()),this.hasUpdated||(this.hasUpdated=!0,this.firstUpdated(e)),this.updated(e)}_$EM(){this._$AL=new Map,this.isUpdatePending=!1}get updateComplete(){return this.getUpdateComplete()}getUpdateComplete(){return this._$ES}shouldUpdate(e){return!0}update(e){this._$Eq&&=this._$Eq.forEach(e=>this._$ET(e,this[e])),this._$EM()}updated(e){}firstUpdated(e){}};se.elementStyles=[],se.shadowRootOptions={mode:`open`},se[re(`elementProperties`)]=new Map,se[re(`finalized`)]=new Map,ne?.({ReactiveElement:se}),(h.reactiveElementVersions??=[]).push(`2.1.2`);var ce=globalThis,le=e=>e,ue=ce.trustedTypes,de=ue?ue.createPolicy(`lit-html`,{createHTML:e=>e}):void 0,fe=`$lit$`,g=`lit$${Math.random().toFixed(9).slice(2)}$`,pe=`?`+g,me=`<${pe}>`,he=document,ge=()=>he.createComment(``),_e=e=>e===null||typeof e!=`object`&&typeof e!=`function`,ve=Array.isArray,ye=e=>ve(e)||typeof e?.[Symbol.iterator]==`function`,be=`[ 	
\f\r]`,xe=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,Se=/-->/g,Ce=/>/g,we=RegExp(`>|${be}(?:([^\\s"'>=/]+)(${be}*=${be}*(?:[^ \t\n\f\r"'\`<>=]|("|')|))|$)`,`g`),Te=/'/g,Ee=/"/g,De=/^(?:script|style|textarea|title)$/i,Oe=e=>(t,...n)=>({_$litType$:e,strings:t,values:n}),_=Oe(1),ke=Oe(2),v=Symbol.for(`lit-noChange`),y=Symbol.for(`lit-nothing`),Ae=new WeakMap,je=he.createTreeWalker(he,129);function Me(e,t){if(!ve(e)||!e.hasOwnProperty(`raw`))throw Error(`invalid template strings array`);return de===void 0?t:de.createHTML(t)}var Ne=(e,t)=>{let n=e.length-1,r=[],i,a=t===2?`<svg>`:t===3?`<math>`:``,o=xe;for(let t=0;t<n;t++){let n=e[t],s,c,l=-1,u=0;for(;u<n.length&&(o.lastIndex=u,c=o.exec(n),c!==null);)u=o.lastIndex,o===xe?c[1]===`!--`?o=Se:c[1]===void 0?c[2]===void 0?c[3]!==void 0&&(o=we):(De.test(c[2])&&(i=RegExp(`</`+c[2],`g`)),o=we):o=Ce:o===we?c[0]===`>`?(o=i??xe,l=-1):c[1]===void 0?l=-2:(l=o.lastIndex-c[2].length,s=c[1],o=c[3]===void 0?we:c[3]===`"`?Ee:Te):o===Ee||o===Te?o=we:o===Se||o===Ce?o=xe:(o=we,i=void 0);let d=o===we&&e[t+1].startsWith(`/>`)?` `:``;a+=o===xe?n+me:l>=0?(r.push(s),n.slice(0,l)+fe+n.slice(l)+g+d):n+g+(l===-2?t:d)}return[Me(e,a+(e[n]||`<?>`)+(t===2?`</svg>`:t===3?`</math>`:``)),r]},Pe=class e{constructor({strings:t,_$litType$:n},r){let i;this.parts=[];let a=0,o=0,s=t.length-1,c=this.parts,[l,u]=Ne(t,n);if(this.el=e.createElement(l,r),je.currentNode=this.el.content,n===2||n===3){let e=this.el.content.firstChild;e.replaceWith(...e.childNodes)}for(;(i=je.nextNode())!==null&&c.length<s;){if(i.nodeType===1){if(i.hasAttributes())for(let e of i.getAttributeNames())if(e.endsWith(fe)){let t=u[o++],n=i.getAttribute(e).split(g),r=/([.?@])?(.*)/.exec(t);c.push({type:1,index:a,name:r[2],strings:n,ctor:r[1]===`.`?ze:r[1]===`?`?Be:r[1]===`@`?Ve:Re}),i.removeAttribute(e)}else e.startsWith(g)&&(c.push({type:6,index:a}),i.removeAttribute(e));if(De.test(i.tagName)){let e=i.textContent.split(g),t=e.length-1;if(t>0){i.textContent=ue?ue.emptyScript:``;for(let n=0;n<t;n++)i.append(e[n],ge()),je.nextNode(),c.push({type:2,index:++a});i.append(e[t],ge())}}}else if(i.nodeType===8){if(i.data===pe)c.push({type:2,index:a});else{let e=-1;for(;(e=i.data.indexOf(g,e+1))!==-1;)c.push({type:7,index:a}),e+=g.length-1}}a++}}static createElement(e,t){let n=he.createElement(`template`);return n.innerHTML=e,n}};function Fe(e,t,n=e,r){if(t===v)return t;let i=r===void 0?n._$Cl:n._$Co?.[r],a=_e(t)?void 0:t._$litDirective$;return i?.constructor!==a&&(i?._$AO?.(!1),a===void 0?i=void 0:(i=new a(e),i._$AT(e,n,r)),r===void 0?n._$Cl=i:(n._$Co??=[])[r]=i),i!==void 0&&(t=Fe(e,i._$AS(e,t.values),i,r)),t}var Ie=class{constructor(e,t){this._$AV=[],this._$AN=void 0,this._$AD=e,this._$AM=t}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(e){let{el:{content:t},parts:n}=this._$AD,r=(e?.creationScope??he).importNode(t,!0);je.currentNode=r;let i=je.nextNode(),a=0,o=0,s=n[0];for(;s!==void 0;){if(a===s.index){let t;s.type===2?t=new Le(i,i.nextSibling,this,e):s.type===1?t=new s.ctor(i,s.name,s.strings,this,e):s.type===6&&(t=new He(i,this,e)),this._$AV.push(t),s=n[++o]}a!==s?.index&&(i=je.nextNode(),a++)}return je.currentNode=he,r}p(e){let t=0;for(let n of this._$AV)n!==void 0&&(n.strings===void 0?n._$AI(e[t]):(n._$AI(e,n,t),t+=n.strings.length-2)),t++}},Le=class e{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(e,t,n,r){this.type=2,this._$AH=y,this._$AN=void 0,this._$AA=e,this._$AB=t,this._$AM=n,this.options=r,this._$Cv=r?.isConnected??!0}get parentNode(){let e=this._$AA.parentNode,t=this._$AM;return t!==void 0&&e?.nodeType===11&&(e=t.parentNode),e}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(e,t=this){e=Fe(this,e,t),_e(e)?e===y||e==null||e===``?(this._$AH!==y&&this._$AR(),this._$AH=y):e!==this._$AH&&e!==v&&this._(e):e._$litType$===void 0?e.nodeType===void 0?ye(e)?this.k(e):this._(e):this.T(e):this.$(e)}O(e){return this._$AA.parentNode.insertBefore(e,this._$AB)}T(e){this._$AH!==e&&(this._$AR(),this._$AH=this.O(e))}_(e){this._$AH!==y&&_e(this._$AH)?this._$AA.nextSibling.data=e:this.T(he.createTextNode(e)),this._$AH=e}$(e){let{values:t,_$litType$:n}=e,r=typeof n==`number`?this._$AC(e):(n.el===void 0&&(n.el=Pe.createElement(Me(n.h,n.h[0]),this.options)),n);if(this._$AH?._$AD===r)this._$AH.p(t);else{let e=new Ie(r,this),n=e.u(this.options);e.p(t),this.T(n),this._$AH=e}}_$AC(e){let t=Ae.get(e.strings);return t===void 0&&Ae.set(e.strings,t=new Pe(e)),t}k(t){ve(this._$AH)||(this._$AH=[],this._$AR());let n=this._$AH,r,i=0;for(let a of t)i===n.length?n.push(r=new e(this.O(ge()),this.O(ge()),this,this.options)):r=n[i],r._$AI(a),i++;i<n.length&&(this._$AR(r&&r._$AB.nextSibling,i),n.length=i)}_$AR(e=this._$AA.nextSibling,t){for(this._$AP?.(!1,!0,t);e!==this._$AB;){let t=le(e).nextSibling;le(e).remove(),e=t}}setConnected(e){this._$AM===void 0&&(this._$Cv=e,this._$AP?.(e))}},Re=class{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(e,t,n,r,i){this.type=1,this._$AH=y,this._$AN=void 0,this.element=e,this.name=t,this._$AM=r,this.options=i,n.length>2||n[0]!==``||n[1]!==``?(this._$AH=Array(n.length-1).fill(new String),this.strings=n):this._$AH=y}_$AI(e,t=this,n,r){let i=this.strings,a=!1;if(i===void 0)e=Fe(this,e,t,0),a=!_e(e)||e!==this._$AH&&e!==v,a&&(this._$AH=e);else{let r=e,o,s;for(e=i[0],o=0;o<i.length-1;o++)s=Fe(this,r[n+o],t,o),s===v&&(s=this._$AH[o]),a||=!_e(s)||s!==this._$AH[o],s===y?e=y:e!==y&&(e+=(s??``)+i[o+1]),this._$AH[o]=s}a&&!r&&this.j(e)}j(e){e===y?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,e??``)}},ze=class extends Re{constructor(){super(...arguments),this.type=3}j(e){this.element[this.name]=e===y?void 0:e}},Be=class extends Re{constructor(){super(...arguments),this.type=4}j(e){this.element.toggleAttribute(this.name,!!e&&e!==y)}},Ve=class extends Re{constructor(e,t,n,r,i){super(e,t,n,r,i),this.type=5}_$AI(e,t=this){if((e=Fe(this,e,t,0)??y)===v)return;let n=this._$AH,r=e===y&&n!==y||e.capture!==n.capture||e.once!==n.once||e.passive!==n.passive,i=e!==y&&(n===y||r);r&&this.element.removeEventListener(this.name,this,n),i&&this.element.addEventListener(this.name,this,e),this._$AH=e}handleEvent(e){typeof this._$AH==`function`?this._$AH.call(this.options?.host??this.element,e):this._$AH.handleEvent(e)}},He=class{constructor(e,t,n){this.element=e,this.type=6,this._$AN=void 0,this._$AM=t,this.options=n}get _$AU(){return this._$AM._$AU}_$AI(e){Fe(this,e)}},Ue={M:fe,P:g,A:pe,C:1,L:Ne,R:Ie,D:ye,V:Fe,I:Le,H:Re,N:Be,U:Ve,B:ze,F:He};(0,ce.litHtmlPolyfillSupport)?.(Pe,Le),(ce.litHtmlVersions??=[]).push(`3.3.3`);var We=(e,t,n)=>{let r=n?.renderBefore??t,i=r._$litPart$;if(i===void 0){let e=n?.renderBefore??null;r._$litPart$=i=new Le(t.insertBefore(ge(),e),e,void 0,n??{})}return i._$AI(e),i},Ge=globalThis,b=class extends se{constructor(){super(...arguments),this.renderOptions={host:this},this._$Do=void 0}createRenderRoot(){let e=super.createRenderRoot();return this.renderOptions.renderBefore??=e.firstChild,e}update(e){let t=this.render();this.hasUpdated||(this.renderOptions.isConnected=this.isConnected),super.update(e),this._$Do=We(t,this.renderRoot,this.renderOptions)}connectedCallback(){super.connectedCallback(),this._$Do?.setConnected(!0)}disconnectedCallback(){super.disconnectedCallback(),this._$Do?.setConnected(!1)}render(){return v}};b._$litElement$=!0,b.finalized=!0,Ge.litElementHydrateSupport?.({LitElement:b}),(0,Ge.litElementPolyfillSupport)?.({LitElement:b}),(Ge.litElementVersions??=[]).push(`4.2.2`);var x=e=>(t,n)=>{n===void 0?customElements.define(e,t):n.addInitializer(()=>{customElements.define(e,t)})},Ke={attribute:!0,type:String,converter:ie,reflect:!1,hasChanged:ae},qe=(e=Ke,t,n)=>{let{kind:r,metadata:i}=n,a=globalThis.litPropertyMetadata.get(i);if(a===void 0&&globalThis.litPropertyMetadata.set(i,a=new Map),r===`setter`&&((e=Object.create(e)).wrapped=!0),a.set(n.name,e),r===`accessor`){let{name:r}=n;return{set(n){let i=t.get.call(this);t.set.call(this,n),this.requestUpdate(r,i,e,!0,n)},init(t){return t!==void 0&&this.C(r,void 0,e,t),t}}}if(r===`setter`){let{name:r}=n;return function(n){let i=this[r];t.call(this,n),this.requestUpdate(r,i,e,!0,n)}}throw Error(`Unsupported decorator location: `+r)};function S(e){return(t,n)=>typeof n==`object`?qe(e,t,n):((e,t,n)=>{let r=t.hasOwnProperty(n);return t.constructor.createProperty(n,e),r?Object.getOwnPropertyDescriptor(t,n):void 0})(e,t,n)}function C(e){return S({...e,state:!0,attribute:!1})}var Je=(e,t,n)=>(n.configurable=!0,n.enumerable=!0,Reflect.decorate&&typeof t!=`object`&&Object.defineProperty(e,t,n),n);function Ye(e,t){return(n,r,i)=>{let a=t=>t.renderRoot?.querySelector(e)??null;if(t){let{get:e,set:t}=typeof r==`object`?n:i??(()=>{let e=Symbol();return{get(){return this[e]},set(t){this[e]=t}}})();return Je(n,r,{get(){let n=e.call(this);return n===void 0&&(n=a(this),(n!==null||this.hasUpdated)&&t.call(this,n)),n}})}return Je(n,r,{get(){return a(this)}})}}var Xe=2e3;function Ze(e,t,n,r){let i,a,o=0,s=()=>{let c=++o;clearTimeout(a),e.subscribeMessage(n,t,{resubscribe:!1}).then(e=>{c===o?(i=e,r(!0)):e().catch(()=>void 0)},()=>{c===o&&(r(!1),a=setTimeout(s,Xe))})},c=()=>{o+=1,clearTimeout(a),i=void 0,r(!1)};return e.addEventListener(`ready`,s),e.addEventListener(`disconnected`,c),s(),()=>{e.removeEventListener(`ready`,s),e.removeEventListener(`disconnected`,c),o+=1,clearTimeout(a),i?.().catch(()=>void 0)}}function Qe(e,t,n,r){let i,a,o=!1,s=()=>{let c=i=new EventSource(e),l=async()=>{c.close(),await r()&&!o&&(a=setTimeout(s,Xe))};c.onopen=()=>n(!0),c.onmessage=e=>t(JSON.parse(e.data)),c.addEventListener(`end`,()=>void l()),c.onerror=()=>{n(!1),c.readyState===EventSource.CLOSED&&l()}};return s(),()=>{o=!0,clearTimeout(a),i?.close()}}var $e=class{constructor(e,t=()=>({})){this.ask=e,this.context=t}conversations(e,t){return this.ask(`chat/conversations`,{search:e,...t===null?{}:{after:t}})}async create(){return(await this.ask(`chat/create`)).conversation_id}async send(e,t,n,r){let i=r===null?{}:{message_id:r};await this.ask(`chat/send`,{conversation_id:e,text:t,choice:n,...i,...this.context()})}async retry(e,t){await this.ask(`chat/retry`,{conversation_id:e,choice:t,...this.context()})}async stop(e){await this.ask(`chat/stop`,{conversation_id:e})}async rename(e,t){await this.ask(`chat/rename`,{conversation_id:e,title:t})}async remove(e){await this.ask(`chat/delete`,{conversation_id:e})}},et=class extends Error{constructor(e,t){super(t),this.code=e}},tt=e=>e instanceof Error?e.message:String(e),nt=class extends $e{constructor(e,t){super(t,()=>({language:e.language})),this.hass=e}follow(e,t,n){let r=e===null?{}:{conversation_id:e};return Ze(this.hass.connection,{type:`zeroconf_ai/chat/follow`,...r},t,n)}async upload(e,t,n){let r=new FormData;r.append(`conversation_id`,e),r.append(`message_id`,t),r.append(`file`,n,n.name||`image`);let i=await this.hass.fetchWithAuth(`/api/zeroconf_ai/images`,{method:`POST`,body:r});if(!i.ok)throw await at(i)}entities(e,t){let n=new Map;return Ze(this.hass.connection,{type:`subscribe_entities`,entity_ids:e},e=>{for(let[t,r]of Object.entries(e.a??{}))n.set(t,r);for(let[t,{"+":r}]of Object.entries(e.c??{})){let e=n.get(t)??{};n.set(t,{...e,...r,a:{...e.a,...r?.a}})}for(let t of e.r??[])n.delete(t);t(Object.fromEntries([...n].map(([e,t])=>[e,it(e,t)])))},e=>{e||(n=new Map)})}},rt=e=>typeof e==`string`?e:``,it=(e,{s:t,a:n})=>({name:rt(n?.friendly_name)||e,state:t??``,unit:rt(n?.unit_of_measurement)});async function at(e){let t=await e.json().catch(()=>({}));return new et(t.error?.code??`failed`,t.error?.message??`The server answered ${e.status}.`)}var ot=(e,t,n)=>({discovered:t,scan:n,setHomeOnly:async t=>{await e(`home_only`,{enabled:t})},checkDiscovery:()=>e(`discovery/check`)}),st=e=>{let t=t=>async(n,r)=>{await e(`server_models/${t}`,{backend_id:n,model:r})};return{list:async()=>(await e(`server_models`)).servers,load:t(`load`),unload:t(`unload`),remove:t(`delete`),pull:t(`pull`),cancel:t(`cancel`)}},ct=`zeroconf_ai`,lt=class{constructor(e){this.hass=e}async texts(){await this.hass.loadBackendTranslation(`config`,ct),await this.hass.loadBackendTranslation(`selector`,ct);let e=await this.hass.loadBackendTranslation(`config_subentries`,ct);return(t,n)=>e(`component.${ct}.${t}`,n)}start(e){return this.ask(`POST`,this.path(e),{handler:e.part===null?ct:[e.entry,e.part],show_advanced_options:!1})}resume(e,t){return this.ask(`GET`,`${this.path(e)}/${t}`)}answer(e,t,n){return this.ask(`POST`,`${this.path(e)}/${t}`,n)}async cancel(e,t){await this.ask(`DELETE`,`${this.path(e)}/${t}`).catch(()=>void 0)}path({part:e}){return e===null?`config/config_entries/flow`:`config/config_entries/subentries/flow`}async ask(e,t,n){try{return await this.hass.callApi(e,t,n)}catch(e){let{body:t,error:n}=e;throw new et(`flow_failed`,(typeof t==`object`?t.message:t)??n??`Home Assistant did not accept this.`)}}};function ut(e){let t={};for(let n of e){let e=n.description?.suggested_value??n.default;n.type===`expandable`?t[n.name]=ut(n.schema??[]):e==null?n.required&&(n.type===`boolean`||n.selector?.boolean!==void 0)&&(t[n.name]=!1):t[n.name]=e}return t}var dt=e=>Array.isArray(e.menu_options)?e.menu_options:Object.keys(e.menu_options??{}),ft=e=>({words:async t=>(await e(`requests/words`,{request_id:t})).words,currency:()=>e(`currency`)}),pt=e=>({why:t=>e(`why`,{...t}),callers:()=>e(`callers`),models:()=>e(`models`),setAlias:({name:t,targets:n,strategy:r},i=!1)=>e(`models/set`,{name:t,targets:n,strategy:r,new:i}),removeAlias:t=>e(`models/remove`,{name:t}),setStrategy:t=>e(`models/strategy`,{strategy:t})}),mt=e=>e??y,ht={alert:`ha-alert`,button:`ha-button`,card:`ha-card`,form:`ha-form`,markdown:`ha-markdown`,menu:`ha-menu-button`,spinner:`ha-spinner`,switch:`ha-switch`},w=new Set;async function gt(e){let t=new Promise(t=>setTimeout(t,e)),n=Object.entries(ht);await Promise.all(n.map(([e,n])=>Promise.race([customElements.whenDefined(n).then(()=>void w.add(e)),t])))}var _t={main:`accent`,usual:`filled`,danger:`outlined`};function T(e,{kind:t=`usual`,disabled:n=!1,name:r,press:i}){let a=i?`button`:`submit`;return w.has(`button`)?_`${i?y:_`<button type="submit" hidden ?disabled=${n}></button>`}<ha-button
        type=${a}
        appearance=${_t[t]}
        variant=${t===`danger`?`danger`:`brand`}
        aria-label=${mt(r)}
        ?disabled=${n}
        @click=${()=>n?void 0:i?.()}
        >${e}</ha-button
      >`:_`<button
    type=${a}
    class=${t}
    aria-label=${mt(r)}
    ?disabled=${n}
    @click=${()=>i?.()}
  >
    ${e}
  </button>`}function vt(e,t=`error`){return w.has(`alert`)?_`<ha-alert alert-type=${t} class="below">${e}</ha-alert>`:_`<p class=${t} role="alert">${e}</p>`}function E(e,t=``){let n=_`${t?_`<h2>${t}</h2>`:y}${e}`;return w.has(`card`)?_`<ha-card><div class="inside">${n}</div></ha-card>`:_`<div class="card">${n}</div>`}function yt(e,t,n,{disabled:r=!1,description:i}={}){let a=async e=>{let r=e.target;await n(r.checked)||(r.checked=t)};return w.has(`switch`)?_`<ha-switch .checked=${t} .disabled=${r} @change=${a}>${e}</ha-switch>`:_`<label class="switch">
    <input
      type="checkbox"
      role="switch"
      aria-describedby=${mt(i)}
      .checked=${t}
      ?disabled=${r}
      @change=${a}
    />
    ${e}
  </label>`}function bt(e){return w.has(`spinner`)?_`<p class="quiet row"><ha-spinner size="small" aria-label=${e}></ha-spinner>${e}</p>`:_`<p class="quiet">${e}</p>`}function xt(e,t,n){return w.has(`menu`)?_`<ha-menu-button .hass=${e} .narrow=${t}></ha-menu-button>`:t?_`<button
    class="menu"
    aria-label=${n}
    @click=${e=>e.target?.dispatchEvent(new CustomEvent(`hass-toggle-menu`,{bubbles:!0,composed:!0}))}
  >
    ☰
  </button>`:y}function St(e){if(!w.has(`form`))return null;let t=e=>e?.path?.[0];return _`<ha-form
    .hass=${e.hass}
    .schema=${e.schema}
    .data=${e.values}
    .error=${e.errors}
    .computeLabel=${(n,r,i)=>e.label(n,t(i))}
    .computeHelper=${(n,r)=>e.helper(n,t(r))}
    .computeError=${e.error}
    .localizeValue=${e.localizeValue}
    @value-changed=${t=>{t.stopPropagation(),e.changed(t.detail.value)}}
  ></ha-form>`}function Ct(e){return w.has(`markdown`)?_`<ha-markdown breaks .content=${e}></ha-markdown>`:_`<p>${e}</p>`}var D=o`
  :host {
    --zai-text: var(--primary-text-color, #212121);
    --zai-quiet: var(--secondary-text-color, #5f6368);
    --zai-line: var(--divider-color, rgba(0, 0, 0, 0.12));
    --zai-surface: var(--card-background-color, #fff);
    --zai-accent: var(--primary-color, #009ac7);
    /* The accent alone has too little contrast for text. */
    --zai-link: color-mix(in srgb, var(--zai-accent) 70%, var(--zai-text));
    --zai-good: var(--success-color, #0f7b37);
    --zai-warn: var(--warning-color, #a35c00);
    --zai-bad: var(--error-color, #b3261e);
    --zai-bad-text: color-mix(in srgb, var(--zai-bad) 70%, var(--zai-text));
    color: var(--zai-text);
    display: block;
  }
  * {
    box-sizing: border-box;
  }
  .card {
    background: var(--zai-surface);
    border: 1px solid var(--zai-line);
    border-radius: var(--ha-card-border-radius, 12px);
    padding: 16px;
    margin-bottom: 16px;
    overflow-wrap: anywhere;
  }
  ha-card {
    display: block;
    margin-bottom: 16px;
    overflow-wrap: anywhere;
  }
  ha-card > .inside {
    padding: 16px;
  }
  ha-card p {
    margin: 8px 0;
  }
  ha-alert {
    display: block;
  }
  h2 {
    font-size: 1.15rem;
    font-weight: 500;
    margin: 0 0 12px;
  }
  .quiet {
    color: var(--zai-quiet);
  }
  .row {
    display: flex;
    flex-wrap: wrap;
    gap: 8px 16px;
    align-items: center;
  }
  .end {
    align-items: end;
  }
  .filters {
    align-items: end;
  }
  .spread {
    justify-content: space-between;
  }
  .above {
    margin-top: 12px;
  }
  .below {
    margin-bottom: 12px;
  }
  .around {
    margin: 8px 0;
  }
  .card p {
    margin: 8px 0;
  }
  .scroll {
    position: relative;
    overflow-x: auto;
  }
  table {
    border-collapse: collapse;
    width: 100%;
    font-size: 0.95rem;
  }
  th,
  td {
    text-align: start;
    padding: 8px 12px 8px 0;
    border-bottom: 1px solid var(--zai-line);
    vertical-align: top;
  }
  /* Long names break anywhere, but not after every third letter: the table scrolls instead. */
  .scroll td:first-child {
    min-width: 7em;
  }
  caption {
    text-align: start;
    padding: 12px 0 4px;
  }
  th {
    font-weight: 500;
    color: var(--zai-quiet);
    white-space: nowrap;
  }
  td.number,
  th.number {
    text-align: end;
    font-variant-numeric: tabular-nums;
    white-space: nowrap;
  }
  button,
  select,
  input,
  textarea {
    font: inherit;
    color: inherit;
    background: var(--zai-surface);
    border: 1px solid var(--input-outlined-idle-border-color, var(--zai-quiet));
    border-radius: 8px;
    padding: 8px 12px;
    min-height: 40px;
    max-width: 100%;
  }
  textarea {
    width: 100%;
  }
  button {
    overflow-wrap: normal;
    cursor: pointer;
  }
  button.main {
    background: var(--zai-link);
    border-color: var(--zai-link);
    color: var(--zai-surface);
  }
  button.danger {
    color: var(--zai-bad-text);
    border-color: var(--zai-bad);
  }
  button:disabled {
    opacity: 0.5;
    cursor: default;
  }
  :focus-visible {
    outline: 2px solid var(--zai-accent);
    outline-offset: 2px;
  }
  a {
    color: var(--zai-link);
  }
  label {
    display: inline-flex;
    flex-direction: column;
    gap: 4px;
    font-size: 0.9rem;
    color: var(--zai-quiet);
  }
  label > * {
    font-size: 1rem;
  }
  fieldset {
    border: 1px solid var(--zai-line);
    border-radius: 8px;
    margin: 12px 0;
    padding: 4px 12px 8px;
    display: flex;
    flex-wrap: wrap;
    gap: 4px 24px;
    min-width: 0;
  }
  legend {
    color: var(--zai-quiet);
    padding: 0 4px;
  }
  label.check {
    flex-direction: row;
    align-items: center;
    gap: 8px;
    min-height: 40px;
    font-size: 1rem;
    color: inherit;
  }
  label.check input {
    min-height: 20px;
    width: 20px;
    accent-color: var(--zai-link);
  }
  label.switch {
    flex-direction: row;
    align-items: center;
    gap: 12px;
    min-height: 40px;
    font-size: 1rem;
    color: inherit;
    cursor: pointer;
  }
  label.switch input {
    appearance: none;
    width: 44px;
    min-height: 24px;
    height: 24px;
    padding: 0;
    border-radius: 12px;
    background: radial-gradient(circle at 12px 50%, var(--zai-quiet) 8px, transparent 8.5px);
  }
  label.switch input:checked {
    border-color: var(--zai-link);
    background: radial-gradient(circle at 30px 50%, var(--zai-surface) 8px, transparent 8.5px) var(--zai-link);
  }
  label.wide {
    display: flex;
  }
  .sentence {
    font-size: 1.2rem;
  }
  dl {
    display: grid;
    grid-template-columns: max-content 1fr;
    gap: 4px 16px;
    margin: 8px 0 0;
  }
  dd {
    margin: 0;
  }
  dd ol {
    margin: 0;
    padding-inline-start: 20px;
  }
  li + li {
    margin-top: 8px;
  }
  pre {
    background: var(--secondary-background-color, #f1f1f1);
    border-radius: 8px;
    padding: 12px;
    overflow-x: auto;
    font-size: 0.85rem;
    margin: 8px 0;
  }
  .error {
    color: var(--zai-bad-text);
  }
  .warning {
    margin: 0 0 16px;
    padding: 12px;
    border-radius: 8px;
    border: 1px solid var(--zai-warn);
    background: var(--zai-surface);
  }
  .bar {
    height: 10px;
    border-radius: 5px;
    background: var(--zai-line);
    overflow: hidden;
  }
  .bar {
    position: relative;
  }
  .bar > i {
    position: absolute;
    top: 0;
    width: 2px;
    height: 100%;
    background: var(--zai-text);
  }
  .bar > div {
    height: 100%;
    background: var(--zai-good);
  }
  .bar.parts {
    display: flex;
  }
  .bar > .quiet-part {
    background: var(--zai-quiet);
  }
  .bar > .rest {
    flex: 1;
  }
  .bar.near > div {
    background: var(--zai-warn);
  }
  .bar.spent > div {
    background: var(--zai-bad);
  }
  .badge {
    display: inline-flex;
    gap: 6px;
    align-items: center;
    font-size: 0.9rem;
  }
  .badge::before {
    content: "";
    width: 10px;
    height: 10px;
    border-radius: 50%;
    background: var(--zai-quiet);
  }
  .badge.healthy::before {
    background: var(--zai-good);
  }
  .badge.degraded::before,
  .badge.resting::before {
    background: var(--zai-warn);
  }
  .badge.offline::before,
  .badge.unauthorized::before {
    background: var(--zai-bad);
  }
  .visually-hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
`,wt={ATTRIBUTE:1,CHILD:2,PROPERTY:3,BOOLEAN_ATTRIBUTE:4,EVENT:5,ELEMENT:6},Tt=e=>(...t)=>({_$litDirective$:e,values:t}),Et=class{constructor(e){}get _$AU(){return this._$AM._$AU}_$AT(e,t,n){this._$Ct=e,this._$AM=t,this._$Ci=n}_$AS(e,t){return this.update(e,t)}update(e,t){return this.render(...t)}},{I:Dt}=Ue,Ot=e=>e,kt=()=>document.createComment(``),At=(e,t,n)=>{let r=e._$AA.parentNode,i=t===void 0?e._$AB:t._$AA;if(n===void 0)n=new Dt(r.insertBefore(kt(),i),r.insertBefore(kt(),i),e,e.options);else{let t=n._$AB.nextSibling,a=n._$AM,o=a!==e;if(o){let t;n._$AQ?.(e),n._$AM=e,n._$AP!==void 0&&(t=e._$AU)!==a._$AU&&n._$AP(t)}if(t!==i||o){let e=n._$AA;for(;e!==t;){let t=Ot(e).nextSibling;Ot(r).insertBefore(e,i),e=t}}}return n},jt=(e,t,n=e)=>(e._$AI(t,n),e),Mt={},Nt=(e,t=Mt)=>e._$AH=t,Pt=e=>e._$AH,Ft=e=>{e._$AR(),e._$AA.remove()},It=(e,t,n)=>{let r=new Map;for(let i=t;i<=n;i++)r.set(e[i],i);return r},O=Tt(class extends Et{constructor(e){if(super(e),e.type!==wt.CHILD)throw Error(`repeat() can only be used in text expressions`)}dt(e,t,n){let r;n===void 0?n=t:t!==void 0&&(r=t);let i=[],a=[],o=0;for(let t of e)i[o]=r?r(t,o):o,a[o]=n(t,o),o++;return{values:a,keys:i}}render(e,t,n){return this.dt(e,t,n).values}update(e,[t,n,r]){let i=Pt(e),{values:a,keys:o}=this.dt(t,n,r);if(!Array.isArray(i))return this.ut=o,a;let s=this.ut??=[],c=[],l,u,d=0,f=i.length-1,p=0,m=a.length-1;for(;d<=f&&p<=m;)if(i[d]===null)d++;else if(i[f]===null)f--;else if(s[d]===o[p])c[p]=jt(i[d],a[p]),d++,p++;else if(s[f]===o[m])c[m]=jt(i[f],a[m]),f--,m--;else if(s[d]===o[m])c[m]=jt(i[d],a[m]),At(e,c[m+1],i[d]),d++,m--;else if(s[f]===o[p])c[p]=jt(i[f],a[p]),At(e,i[d],i[f]),f--,p++;else if(l===void 0&&(l=It(o,p,m),u=It(s,d,f)),l.has(s[d])){if(l.has(s[f])){let t=u.get(o[p]),n=t===void 0?null:i[t];if(n===null){let t=At(e,i[d]);jt(t,a[p]),c[p]=t}else c[p]=jt(n,a[p]),At(e,i[d],n),i[t]=null;p++}else Ft(i[f]),f--}else Ft(i[d]),d++;for(;p<=m;){let t=At(e,c[m+1]);jt(t,a[p]),c[p++]=t}for(;d<=f;){let e=i[d++];e!==null&&Ft(e)}return this.ut=o,Nt(e,c),v}});function Lt(e,t,n=[80],r=[]){let i=e>=Math.min(...n,100),a=Math.min(100,e);return _`<div
    class="bar ${e>=100?`spent`:i?`near`:``}"
    role="meter"
    aria-valuemin="0"
    aria-valuemax="100"
    aria-valuenow=${a}
    aria-label=${t}
  >
    <div .style=${`width: ${a}%`}></div>
    ${r.filter(e=>e<100).map(e=>_`<i data-at=${e} .style=${`inset-inline-start: ${e}%`}></i>`)}
  </div>`}function k(e,t,n){let r=Math.abs(e),i=r>0&&r<.1?Math.min(9,Math.max(4,1-Math.floor(Math.log10(r)))):2;try{return new Intl.NumberFormat(n,{style:`currency`,currency:t,maximumFractionDigits:i}).format(e)}catch{return`${e.toFixed(i)} ${t}`}}function Rt(e,t){return Object.entries(e).filter(([,e])=>e!==0).map(([e,n])=>k(n,e,t)).join(` + `)}var A=(e,t)=>new Intl.NumberFormat(t).format(e);function j(e,t){let[n,r,i]=e<1e3?[e,`millisecond`,0]:e<12e4?[e/1e3,`second`,1]:[e/6e4,`minute`,0];return new Intl.NumberFormat(t,{style:`unit`,unit:r,unitDisplay:`short`,maximumFractionDigits:i}).format(n)}function M(e,t){let n=new Date(typeof e==`number`?e*1e3:e);return new Intl.DateTimeFormat(t,{dateStyle:`short`,timeStyle:`medium`}).format(n)}function zt(e,t){return new Intl.DateTimeFormat(t,{dateStyle:`medium`}).format(new Date(e))}function Bt(e){let t=String(e.getMonth()+1).padStart(2,`0`);return`${e.getFullYear()}-${t}-${String(e.getDate()).padStart(2,`0`)}`}function N(e,t,n,r){var i=arguments.length,a=i<3?t:r===null?r=Object.getOwnPropertyDescriptor(t,n):r,o;if(typeof Reflect==`object`&&typeof Reflect.decorate==`function`)a=Reflect.decorate(e,t,n,r);else for(var s=e.length-1;s>=0;s--)(o=e[s])&&(a=(i<3?o(a):i>3?o(t,n,a):o(t,n))||a);return i>3&&a&&Object.defineProperty(t,n,a),a}var P=class extends b{constructor(...e){super(...e),this.live=null,this.language=`en`,this.narrow=!1,this.error=``,this.busy=!1}static{this.styles=D}async run(e){this.busy=!0,this.error=``;try{await e()}catch(e){this.error=tt(e)}finally{this.busy=!1}}errorLine(){return this.error?vt(this.error):y}};N([S({attribute:!1})],P.prototype,`api`,void 0),N([S({attribute:!1})],P.prototype,`texts`,void 0),N([S({attribute:!1})],P.prototype,`live`,void 0),N([S()],P.prototype,`language`,void 0),N([S({type:Boolean})],P.prototype,`narrow`,void 0),N([C()],P.prototype,`error`,void 0),N([C()],P.prototype,`busy`,void 0);function F(e,t){let n=e.get(t);return typeof n==`string`?n.trim():``}var Vt=class extends P{constructor(...e){super(...e),this.settings=null,this.saved=!1,this.deliveries=[]}firstUpdated(){this.run(()=>this.load())}async load(){this.settings=await this.api.alerts?.settings()??null}render(){let{texts:e,settings:t}=this;return E(_`${t===null?this.error?y:bt(e(`common.loading`)):this.form(t)} ${this.errorLine()} ${this.results()}`,e(`alerts.title`))}form(e){let{texts:t}=this,n=e.notify_entities.length+e.notify_actions.length===0&&e.webhook_host===null,r=[...new Set([...e.actions,...e.notify_actions])];return _`<form @submit=${e=>this.save(e)} @change=${()=>this.saved=!1}>
      ${n?_`<p class="quiet">${t(`alerts.none`)}</p>`:y}
      ${this.choices(`notify_entities`,t(`alerts.entities`),e.entities,e.notify_entities)}
      ${this.choices(`notify_actions`,t(`alerts.actions`),r.map(e=>({id:e,name:e})),e.notify_actions)}
      ${this.webhook(e)}
      ${this.choices(`alert_kinds`,t(`alerts.about`),e.kinds.map(e=>({id:e,name:t(`alerts.kind_${e}`)})),e.alert_kinds)}
      <div class="row end above">
        <label
          >${t(`alerts.from`)}
          <input name="alert_from" type="number" min="1" max="100" required value=${e.alert_from} />
        </label>
        <label
          >${t(`alerts.factor`)}
          <input name="key_factor" type="number" min="0" max="1000" required value=${e.key_factor} />
        </label>
        ${T(t(`alerts.save`),{kind:`main`,disabled:this.busy})}
        ${T(t(`alerts.test`),{disabled:this.busy,press:()=>this.test()})}
      </div>
    </form>`}choices(e,t,n,r){return n.length===0?y:_`<fieldset>
      <legend>${t}</legend>
      ${n.map(t=>_`<label class="check">
            <input type="checkbox" name=${e} value=${t.id} ?checked=${r.includes(t.id)} />
            ${t.name}
          </label>`)}
    </fieldset>`}webhook(e){let{texts:t}=this;return _`<div class="row end above">
      <label
        >${t(`alerts.webhook`)} <input name="webhook_url" type="url" maxlength="2048" autocomplete="off" />
      </label>
      ${e.webhook_host===null?y:_`<span>${t(`alerts.webhook_at`,{host:e.webhook_host})}</span>
              <label class="check"
                ><input type="checkbox" name="no_webhook" value="1" /> ${t(`alerts.webhook_remove`)}</label
              >`}
    </div>`}results(){let{texts:e}=this;return _`<div role="status">
      ${this.saved?_`<p>${e(`alerts.saved`)}</p>`:y}
      ${this.deliveries.map(({sender:t,error:n})=>n===null?_`<p>${e(`alerts.delivered`,{sender:t})}</p>`:_`<p class="error">${e(`alerts.failed`,{sender:t,error:n})}</p>`)}
    </div>`}save(e){e.preventDefault();let t=e.target,n=new FormData(t),r=e=>n.getAll(e).filter(e=>typeof e==`string`),i=F(n,`webhook_url`),a={notify_entities:r(`notify_entities`),notify_actions:r(`notify_actions`),alert_kinds:r(`alert_kinds`),alert_from:Number(F(n,`alert_from`)),key_factor:Number(F(n,`key_factor`)),...i||F(n,`no_webhook`)?{webhook_url:i}:{}};this.deliveries=[],this.run(async()=>{await this.api.alerts?.change(a),await this.load(),this.saved=!0,await this.updateComplete,t.reset()})}test(){return this.deliveries=[],this.run(async()=>{this.deliveries=await this.api.alerts?.test()??[]})}};N([C()],Vt.prototype,`settings`,void 0),N([C()],Vt.prototype,`saved`,void 0),N([C()],Vt.prototype,`deliveries`,void 0),Vt=N([x(`zai-alerts-card`)],Vt);function Ht(e,t,n){return _`<label
      >${t?e(`budgets.amount_in`,{currency:t}):e(`budgets.amount`)}
      <input name="amount" type="number" min="0" max="1000000000" step="any" required value=${n?.amount??``} />
    </label>
    <label
      >${e(`budgets.then`)}
      <select name="action">
        ${[`free_only`,`refuse`].map(t=>_`<option value=${t} ?selected=${n?.action===t}>${e(`budgets.${t}`)}</option>`)}
      </select>
    </label>
    <label
      >${e(`budgets.thresholds`)}
      <input
        name="thresholds"
        inputmode="numeric"
        autocomplete="off"
        placeholder=${e(`budgets.thresholds_hint`)}
        value=${(n?.thresholds??[80,100]).join(`, `)}
      />
    </label>`}function Ut(e){let t=F(e,`thresholds`).split(/[\s,;%]+/).filter(e=>e!==``),n=[...new Set(t.map(Number))].sort((e,t)=>e-t);return n.length>10||!n.every(e=>Number.isInteger(e)&&e>=1&&e<=100)?null:{amount:Number(F(e,`amount`)),action:F(e,`action`),thresholds:n}}var Wt=[`household`,`user`,`key`,`backend`],Gt=class extends P{constructor(...e){super(...e),this.budgets=null,this.callers={keys:[],users:[]},this.currency=null,this.scope=`household`,this.open=null}firstUpdated(){this.run(()=>this.load())}async load(){[this.budgets,this.callers,this.currency]=await Promise.all([this.api.budgets(),this.api.routing.callers(),this.api.records.currency()])}render(){let{texts:e,budgets:t}=this;return t===null?this.error?_`${this.errorLine()}`:bt(e(`common.loading`)):_`${this.errorLine()} ${t.length===0?E(e(`budgets.empty`)):y}
    ${O(t,e=>e.budget_id,e=>this.budget(e))}
    ${this.oneToOne()} ${this.newBudget()}
    ${this.api.alerts?_`<zai-alerts-card .api=${this.api} .texts=${e} .language=${this.language}></zai-alerts-card>`:y}`}oneToOne(){let{currency:e,texts:t}=this;if(e===null)return y;let{currency:n,one_to_one:r,missing:i}=e,a=(e,r)=>r.length?E(t(e,{currencies:r.join(`, `),currency:n})):y;return _`${a(`usage.one_to_one`,r)}${a(`usage.no_rate`,i)}`}newBudget(){let{texts:e}=this,t=this.subjects();return E(_`<form class="row end" @submit=${e=>this.create(e)}>
        <label
          >${e(`budgets.for`)}
          <select
            name="scope"
            @change=${e=>this.scope=e.target.value}
          >
            ${Wt.filter(e=>e!==`user`||this.callers.users.length>0).map(t=>_`<option value=${t} ?selected=${t===this.scope}>${e(`budgets.${t}`)}</option>`)}
          </select>
        </label>
        ${t===null?y:this.subject(t)}
        <label
          >${e(`budgets.each`)}
          <select name="period">
            ${[`month`,`week`,`day`].map(t=>_`<option value=${t}>${e(`common.${t}`)}</option>`)}
          </select>
        </label>
        ${Ht(e,this.currency?.currency??``)}
        ${T(e(`budgets.save`),{kind:`main`,disabled:this.busy||t?.length===0})}
      </form>`,e(`budgets.new`))}subject(e){let{texts:t}=this;return e.length===0?_`<span class="quiet">${t(`budgets.nobody`)}</span>`:_`<label
      >${t(`budgets.${this.scope}`)}
      <select name="subject" required>
        ${e.map(({id:e,name:t})=>_`<option value=${e}>${t}</option>`)}
      </select>
    </label>`}subjects(){switch(this.scope){case`household`:return null;case`key`:return this.callers.keys;case`user`:return this.callers.users;case`backend`:return(this.live?.members??[]).filter(e=>e.kind===`backend`)}}budget(e){let{texts:t,language:n,open:r}=this,i=r?.id===e.budget_id?r.what:null;return E(_`<div class="row spread">
          <b>${e.owner}</b>
          <span class="quiet">${t(`common.${e.period}`)} · ${t(`budgets.${e.action}`)}</span>
        </div>
        <p>
          ${t(`budgets.spent`,{spent:k(e.spent,e.currency,n),amount:k(e.amount,e.currency,n)})}
          (${A(Math.round(e.percent),n)} %) ·
          ${t(`budgets.renews`,{when:M(e.renews,n)})}
        </p>
        ${Lt(e.percent,e.owner,e.thresholds,e.thresholds)}
        <p class="quiet">
          ${e.thresholds.length?t(`budgets.marks`,{levels:e.thresholds.join(`, `)}):y}
          ${e.spent_on?t(`budgets.forecast`,{when:zt(e.spent_on,n)}):y}
        </p>
        ${i===`change`?this.changing(e):i===null?this.choices(e):this.sure(e,i)}`)}choices(e){let t=t=>()=>{this.open={id:e.budget_id,what:t}},n=t=>`${this.texts(`budgets.${t}`)}: ${e.owner}`;return _`<div class="row above">
      ${T(this.texts(`budgets.change`),{disabled:this.busy,name:n(`change`),press:t(`change`)})}
      ${T(this.texts(`budgets.reset`),{disabled:this.busy,name:n(`reset`),press:t(`reset`)})}
      ${T(this.texts(`budgets.remove`),{kind:`danger`,disabled:this.busy,name:n(`remove`),press:t(`remove`)})}
    </div>`}changing(e){return _`<form class="row end above" @submit=${t=>this.change(t,e)}>
      ${Ht(this.texts,e.currency,e)}
      ${T(this.texts(`budgets.save`),{kind:`main`,disabled:this.busy})} ${this.cancel()}
    </form>`}sure(e,t){let{texts:n,api:r}=this,i=()=>t===`reset`?r.resetBudget(e):r.removeBudget(e);return _`<div class="row above" role="alert">
      ${n(`budgets.${t}_sure`,{name:e.owner})}
      ${T(n(`budgets.${t}`),{kind:`danger`,disabled:this.busy,press:()=>this.save(i)})}
      ${this.cancel()}
    </div>`}cancel(){return T(this.texts(`common.cancel`),{press:()=>this.open=null})}create(e){e.preventDefault();let t=e.target,n=new FormData(t),r=this.read(n);if(r===null)return;let i={scope:this.scope,subject:F(n,`subject`),period:F(n,`period`),...r};this.save(async()=>{await this.api.setBudget(i),t.reset(),this.scope=`household`})}change(e,t){e.preventDefault();let n=this.read(new FormData(e.target));n!==null&&this.save(()=>this.api.setBudget({...t,...n}))}read(e){let t=Ut(e);return this.error=t===null?this.texts(`budgets.thresholds_invalid`):``,t}save(e){return this.run(async()=>{await e(),this.open=null,await this.load()})}};N([C()],Gt.prototype,`budgets`,void 0),N([C()],Gt.prototype,`callers`,void 0),N([C()],Gt.prototype,`currency`,void 0),N([C()],Gt.prototype,`scope`,void 0),N([C()],Gt.prototype,`open`,void 0),Gt=N([x(`zai-budgets`)],Gt);var Kt=0xa00000,qt=[`image/png`,`image/jpeg`,`image/gif`,`image/webp`],Jt=144;async function Yt(e){if(!qt.includes(e.type)||e.size>Kt)return null;try{let t=await createImageBitmap(e);return{file:e,width:t.width,height:t.height,bitmap:t}}catch{return null}}var Xt=Tt(class extends Et{render(e){return this.last=e,v}update(e,[t]){if(t===this.last)return v;let n=e.element,r=Math.min(1,Jt/Math.max(t.width,t.height));return n.width=Math.max(1,Math.round(t.width*r)),n.height=Math.max(1,Math.round(t.height*r)),n.getContext(`2d`)?.drawImage(t.bitmap,0,0,n.width,n.height),this.render(t)}}),Zt=5,I=class extends b{constructor(...e){super(...e),this.running=!1,this.busy=!1,this.takesImages=!1,this.images=[],this.error=``,this.over=!1}static{this.styles=[D,o`
      form {
        border: 1px solid var(--input-outlined-idle-border-color, var(--zai-quiet));
        border-radius: 12px;
        background: var(--zai-surface);
        padding: 8px;
      }
      form.over {
        outline: 2px dashed var(--zai-accent);
      }
      form:has(textarea:focus-visible) {
        outline: 2px solid var(--zai-accent);
      }
      textarea:focus-visible {
        outline: none; /* the frame shows it */
      }
      textarea {
        border: none;
        padding: 8px;
        resize: none;
        max-height: 40vh;
        field-sizing: content;
        background: none;
        display: block;
      }
      .bar-of-buttons {
        display: flex;
        align-items: center;
        justify-content: space-between;
        gap: 8px;
        height: auto;
        background: none;
      }
      ul {
        list-style: none;
        display: flex;
        flex-wrap: wrap;
        gap: 8px;
        margin: 0 0 8px;
        padding: 0;
      }
      li {
        margin: 0 !important;
        display: flex;
        gap: 8px;
        align-items: center;
        border: 1px solid var(--zai-line);
        border-radius: 8px;
        padding: 6px;
        font-size: 0.85rem;
        max-width: 100%;
        overflow-wrap: anywhere;
      }
      canvas {
        max-width: 72px;
        max-height: 56px;
        border-radius: 4px;
      }
      .file input {
        position: absolute;
        width: 1px;
        height: 1px;
        min-height: 0;
        opacity: 0;
      }
      .file {
        flex-direction: row;
        align-items: center;
        border: 1px solid var(--zai-line);
        border-radius: 8px;
        padding: 8px 12px;
        cursor: pointer;
        color: var(--zai-text);
        position: relative;
      }
      .file:focus-within {
        outline: 2px solid var(--zai-accent);
        outline-offset: 2px;
      }
    `]}render(){let{texts:e}=this;return _`<form
      class=${this.over?`over`:``}
      @submit=${e=>this.submit(e)}
      @dragover=${e=>this.dragged(e)}
      @dragleave=${()=>this.over=!1}
      @drop=${e=>this.dropped(e)}
    >
      ${this.images.length>0?_`<ul aria-label=${e(`chat.images`)}>
              ${this.images.map((e,t)=>this.preview(e,t))}
            </ul>`:y}
      <textarea
        rows="2"
        maxlength="32000"
        aria-label=${e(`chat.message`)}
        placeholder=${e(`chat.message`)}
        @keydown=${e=>this.pressed(e)}
        @paste=${e=>this.pasted(e)}
      ></textarea>
      ${this.error?_`<p class="error" role="alert">${this.error}</p>`:y}
      <div class="bar-of-buttons">
        ${this.takesImages?_`<label class="file"
                >${e(`chat.add_image`)}
                <input
                  type="file"
                  accept="image/png,image/jpeg,image/gif,image/webp"
                  multiple
                  @change=${e=>this.chosen(e)}
              /></label>`:_`<span></span>`}
        ${this.running?T(e(`chat.stop`),{kind:`danger`,press:()=>this.dispatchEvent(new CustomEvent(`stop`))}):T(e(`chat.send`),{kind:`main`,disabled:this.busy})}
      </div>
    </form>`}preview(e,t){let{texts:n}=this,r=`${e.width} × ${e.height}`;return _`<li>
      <canvas role="img" aria-label=${e.file.name} ${Xt(e)}></canvas>
      <span>${e.file.name}<br /><span class="quiet">${r}</span></span>
      <button
        type="button"
        aria-label=${n(`chat.remove_image`,{name:e.file.name})}
        @click=${()=>this.drop(t)}
      >
        ✕
      </button>
    </li>`}clear(){this.area.value=``,this.images=[],this.error=``}focus(){this.area.focus()}submit(e){e.preventDefault();let t=this.area.value.trim();if(this.running||this.busy||!t&&this.images.length===0)return;let n={text:t,images:this.images.map(e=>e.file)};this.dispatchEvent(new CustomEvent(`draft`,{detail:n}))}pressed(e){e.key!==`Enter`||e.shiftKey||e.isComposing||(e.preventDefault(),this.area.form?.requestSubmit())}dragged(e){this.takesImages&&e.dataTransfer?.types.includes(`Files`)&&(e.preventDefault(),this.over=!0)}dropped(e){this.over=!1,this.takesImages&&e.dataTransfer?.files.length&&(e.preventDefault(),this.add([...e.dataTransfer.files]))}pasted(e){let t=[...e.clipboardData?.files??[]];this.takesImages&&t.length!==0&&(e.preventDefault(),this.add(t))}chosen(e){let t=e.target,n=[...t.files??[]];t.value=``,this.add(n)}async add(e){this.error=``;for(let t of e){if(this.images.length>=Zt){this.error=this.texts(`chat.too_many_images`,{count:Zt});return}let e=await Yt(t);e?this.images=[...this.images,e]:this.error=this.texts(`chat.no_image`,{name:t.name})}}drop(e){this.images=this.images.toSpliced(e,1)}};N([S({attribute:!1})],I.prototype,`texts`,void 0),N([S({type:Boolean})],I.prototype,`running`,void 0),N([S({type:Boolean})],I.prototype,`busy`,void 0),N([S({type:Boolean})],I.prototype,`takesImages`,void 0),N([C()],I.prototype,`images`,void 0),N([C()],I.prototype,`error`,void 0),N([C()],I.prototype,`over`,void 0),N([Ye(`textarea`)],I.prototype,`area`,void 0),I=N([x(`zai-chat-composer`)],I);function Qt(e,t){if(t.type===`conversation`){let{id:e,title:n,messages:r,running:i}=t;return{id:e,title:n,messages:r,running:i}}if(e===null)return null;switch(t.type){case`message`:{let n=$t(e.messages,t.message,t.before),{id:r}=t.message,i=t.running?r:e.running===r?null:e.running;return{...e,messages:n,running:i}}case`delta`:return en(e,t.id,e=>({...e,content:e.content+t.content,details:t.thinking?{...e.details,thinking:(e.details.thinking??``)+t.thinking}:e.details}));case`text`:return en(e,t.id,e=>({...e,content:t.content,details:{...e.details,thinking:t.thinking}}));case`tools`:return en(e,t.id,e=>({...e,details:{...e.details,tools:t.tools}}));case`reached`:return en(e,t.id,e=>({...e,details:{...e.details,backend_id:t.backend_id,backend:t.backend,model:t.model}}))}}function $t(e,t,n){if(e.some(e=>e.id===t.id))return e.map(e=>e.id===t.id?t:e);let r=e.findIndex(e=>e.id===n);return r<0?[...e,t]:e.toSpliced(r,0,t)}function en(e,t,n){return{...e,messages:e.messages.map(e=>e.id===t?n(e):e)}}var tn=250,L=class extends b{constructor(...e){super(...e),this.language=`en`,this.current=``,this.running=[],this.revision=0,this.entries=null,this.next=null,this.error=``,this.renamed=null,this.asked=null,this.search=``}static{this.styles=[D,o`
      ul {
        list-style: none;
        margin: 12px 0 0;
        padding: 0;
      }
      li {
        border-radius: 8px;
      }
      li + li {
        margin-top: 2px;
      }
      li[data-current] {
        background: color-mix(in srgb, var(--zai-accent) 14%, transparent);
      }
      .entry {
        display: flex;
        align-items: center;
      }
      .open {
        flex: 1;
        min-width: 0;
        text-align: start;
        background: none;
        border: none;
        padding: 8px;
      }
      .title {
        display: block;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .when {
        font-size: 0.8rem;
      }
      .icon {
        border: none;
        background: none;
        padding: 8px;
        min-width: 36px;
        min-height: 36px;
      }
      .asked {
        padding: 8px;
      }
      input {
        width: 100%;
      }
    `]}disconnectedCallback(){super.disconnectedCallback(),clearTimeout(this.timer)}updated(e){(e.has(`revision`)||e.has(`api`))&&this.load()}async load(e=null){let{search:t}=this;try{let n=await this.api.conversations(t,e);if(t!==this.search)return;this.entries=e===null?n.conversations:[...this.entries??[],...n.conversations],this.next=n.next,this.error=``}catch(e){this.error=tt(e)}}render(){let{texts:e,entries:t}=this;return _`<label class="wide"
        >${e(`chat.search`)}
        <input type="search" maxlength="200" @input=${e=>this.searched(e)} />
      </label>
      ${this.error?_`<p class="error" role="alert">${this.error}</p>`:y}
      ${t?.length===0?_`<p class="quiet">${e(this.search?`chat.none_found`:`chat.none`)}</p>`:y}
      <ul>
        ${O(t??[],e=>e.id,e=>_`<li ?data-current=${e.id===this.current}>${this.entry(e)}</li>`)}
      </ul>
      ${this.next===null?y:_`<p class="above">${T(e(`requests.more`),{press:()=>this.load(this.next)})}</p>`}`}entry(e){let{texts:t}=this,n=e.title||t(`chat.untitled`);return this.renamed===e.id?_`<form class="asked" @submit=${t=>this.rename(t,e)}>
        <label class="wide"
          >${t(`chat.title`)} <input name="title" required maxlength="100" .value=${e.title}
        /></label>
        <div class="row above">
          ${T(t(`chat.save`),{kind:`main`})}
          ${T(t(`common.cancel`),{press:()=>this.renamed=null})}
        </div>
      </form>`:this.asked===e.id?_`<div class="asked">
        <span>${t(`chat.sure`,{title:n})}</span>
        <div class="row above">
          ${T(t(`chat.delete`),{kind:`danger`,press:()=>this.discard(e)})}
          ${T(t(`common.cancel`),{press:()=>this.asked=null})}
        </div>
      </div>`:_`<div class="entry">
      <button
        class="open"
        aria-current=${e.id===this.current?`true`:y}
        @click=${()=>this.dispatchEvent(new CustomEvent(`open`,{detail:e.id}))}
      >
        <span class="title">${n}</span>
        <span class="when quiet"
          >${e.running||this.running.includes(e.id)?t(`chat.answering`):M(e.last_used,this.language)}</span
        >
      </button>
      <button class="icon" aria-label=${t(`chat.rename`,{title:n})} @click=${()=>this.edit(e)}>✎</button>
      <button class="icon" aria-label=${t(`chat.delete_title`,{title:n})} @click=${()=>this.ask(e)}>
        ✕
      </button>
    </div>`}edit(e){this.asked=null,this.renamed=e.id,this.updateComplete.then(()=>this.renderRoot.querySelector(`input[name=title]`)?.select())}ask(e){this.renamed=null,this.asked=e.id,this.updateComplete.then(()=>this.renderRoot.querySelector(`.asked :is(.danger, [variant=danger])`)?.focus())}searched(e){this.search=e.target.value.trim(),clearTimeout(this.timer),this.timer=setTimeout(()=>void this.load(),tn)}async rename(e,t){e.preventDefault();let n=F(new FormData(e.target),`title`);await this.carryOut(()=>this.api.rename(t.id,n)),this.renamed=null}async discard(e){await this.carryOut(()=>this.api.remove(e.id))&&(this.asked=null,this.dispatchEvent(new CustomEvent(`removed`,{detail:e.id})))}async carryOut(e){try{return await e(),await this.load(),!0}catch(e){return this.error=tt(e),!1}}};N([S({attribute:!1})],L.prototype,`api`,void 0),N([S({attribute:!1})],L.prototype,`texts`,void 0),N([S()],L.prototype,`language`,void 0),N([S()],L.prototype,`current`,void 0),N([S({attribute:!1})],L.prototype,`running`,void 0),N([S({type:Number})],L.prototype,`revision`,void 0),N([C()],L.prototype,`entries`,void 0),N([C()],L.prototype,`next`,void 0),N([C()],L.prototype,`error`,void 0),N([C()],L.prototype,`renamed`,void 0),N([C()],L.prototype,`asked`,void 0),L=N([x(`zai-chat-list`)],L);var nn=class extends b{constructor(...e){super(...e),this.ids=[],this.states={},this.followed=``}static{this.styles=[D,o`
      ul {
        list-style: none;
        margin: 0 0 10px;
        padding: 0;
      }
      li {
        display: flex;
        justify-content: space-between;
        gap: 16px;
        padding: 8px 12px;
        border: 1px solid var(--zai-line);
        border-radius: 8px;
        background: var(--zai-surface);
      }
      b {
        font-weight: 500;
      }
    `]}connectedCallback(){super.connectedCallback(),this.hasUpdated&&this.follow()}disconnectedCallback(){super.disconnectedCallback(),this.end?.(),this.end=void 0,this.followed=``}updated(e){e.has(`ids`)&&this.follow()}follow(){let e=this.ids.join();e!==this.followed&&(this.followed=e,this.end?.(),this.end=this.api.entities(this.ids,e=>this.states=e))}render(){return _`<ul>
      ${this.ids.map(e=>{let t=this.states[e];return _`<li>
          <b>${t?.name??e}</b>
          <span>${t?`${t.state}${t.unit?` ${t.unit}`:``}`:`…`}</span>
        </li>`})}
    </ul>`}};N([S({attribute:!1})],nn.prototype,`api`,void 0),N([S({attribute:!1})],nn.prototype,`ids`,void 0),N([C()],nn.prototype,`states`,void 0),nn=N([x(`zai-chat-entities`)],nn);var rn={},an=Tt(class extends Et{constructor(){super(...arguments),this.ot=rn}render(e,t){return t()}update(e,[t,n]){if(Array.isArray(t)){if(Array.isArray(this.ot)&&this.ot.length===t.length&&t.every((e,t)=>e===this.ot[t]))return v}else if(this.ot===t)return v;return this.ot=Array.isArray(t)?Array.from(t):t,this.render(t,n)}});function on(){return{async:!1,breaks:!1,extensions:null,gfm:!0,hooks:null,pedantic:!1,renderer:null,silent:!1,tokenizer:null,walkTokens:null}}var sn=on();function cn(e){sn=e}var ln={exec:()=>null};function un(e){let t=[];return n=>{let r=Math.max(0,Math.min(3,n-1)),i=t[r];return i||(i=e(r),t[r]=i),i}}function R(e,t=``){let n=typeof e==`string`?e:e.source,r={replace:(e,t)=>{let i=typeof t==`string`?t:t.source;return i=i.replace(z.caret,`$1`),n=n.replace(e,i),r},getRegex:()=>new RegExp(n,t)};return r}var dn=((e=``)=>{try{return!!RegExp(`(?<=1)(?<!1)`+e)}catch{return!1}})(),z={codeRemoveIndent:/^(?: {0,3}\t| {1,4})/gm,listInterruptsParagraph:/^ {0,3}(?:[*+-]|1[.)])[ \t]+[^ \t\n]/,outputLinkReplace:/\\([\[\]])/g,indentCodeCompensation:/^(\s+)(?:```)/,beginningSpace:/^\s+/,endingHash:/#$/,startingSpaceChar:/^ /,endingSpaceChar:/ $/,endingSpaceTabChar:/[ \t]$/,nonSpaceChar:/[^ ]/,newLineCharGlobal:/\n/g,tabCharGlobal:/\t/g,leadingSpaceTab:/^[ \t]+/,multipleSpaceGlobal:/\s+/g,blankLine:/^[ \t]*$/,doubleBlankLine:/\n[ \t]*\n[ \t]*$/,blockquoteStart:/^ {0,3}>/,blockquoteSetextReplace:/\n {0,3}((?:=+|-+)[ \t]*)(?=\n|$)/g,blockquoteSetextReplace2:/^ {0,3}>[ \t]?/gm,blockquoteMarkerWhitespace:/^( {0,3}>)(\t[ \t]*)/gm,nestedBlockMarker:/^ {0,3}(?:(?:[*+-]|\d{1,9}[.)])(?: |$)|> ?)/,listReplaceNesting:/^ {1,4}(?=( {4})*[^ ])/g,listIsTask:/^\[[ xX]\][ \t]+\S/,listReplaceTask:/^\[[ xX]\][ \t]+/,listTaskCheckbox:/\[[ xX]\]/,anyLine:/\n.*\n/,hrefBrackets:/^<(.*)>$/,tableDelimiter:/[:|]/,tableAlignChars:/^\||\| *$/g,tableRowBlankLine:/\n[ \t]*$/,tableAlignRight:/^ *-+: *$/,tableAlignCenter:/^ *:-+: *$/,tableAlignLeft:/^ *:-+ *$/,startATag:/^<a /i,endATag:/^<\/a>/i,startPreScriptTag:/^<(pre|code|kbd|script)(\s|>)/i,endPreScriptTag:/^<\/(pre|code|kbd|script)(\s|>)/i,startAngleBracket:/^</,endAngleBracket:/>$/,pedanticHrefTitle:/^([^'"]*[^\s])\s+(['"])(.*)\2/,unicodeAlphaNumeric:/[\p{L}\p{N}]/u,numericCharacterReference:/&#(?:(\d{1,7})|[Xx]([A-Fa-f0-9]{1,6}));/,numericCharacterReferenceOrAmpersand:/&#(?:(\d{1,7})|[Xx]([A-Fa-f0-9]{1,6}));|&(?!(#\d{1,7}|#[Xx][a-fA-F0-9]{1,6}|\w+);)/g,escapeTest:/[&<>"']/,escapeReplace:/[&<>"']/g,escapeTestNoEncode:/[<>"']|&(?!(#\d{1,7}|#[Xx][a-fA-F0-9]{1,6}|\w+);)/,escapeReplaceNoEncode:/[<>"']|&(?!(#\d{1,7}|#[Xx][a-fA-F0-9]{1,6}|\w+);)/g,caret:/(^|[^\[])\^/g,percentDecode:/%25/g,findPipe:/\|/g,splitPipe:/ \|/,slashPipe:/\\\|/g,carriageReturn:/\r\n|\r/g,spaceLine:/^ +$/gm,notSpaceStart:/^\S*/,endingNewline:/\n$/,listItemRegex:e=>RegExp(`^( {0,3}${e})((?:[	 ][^\\n]*)?(?:\\n|$))`),nextBulletRegex:un(e=>RegExp(`^ {0,${e}}(?:[*+-]|\\d{1,9}[.)])((?:[ 	][^\\n]*)?(?:\\n|$))`)),hrRegex:un(e=>RegExp(`^ {0,${e}}((?:-[ 	]*){3,}|(?:_[ 	]*){3,}|(?:\\*[ 	]*){3,})(?:\\n+|$)`)),fencesBeginRegex:un(e=>RegExp(`^ {0,${e}}(?:\`\`\`|~~~)`)),headingBeginRegex:un(e=>RegExp(`^ {0,${e}}#{1,6}(?:\\s|$)`)),pedanticHeadingBeginRegex:un(e=>RegExp(`^ {0,${e}}#`)),htmlBeginRegex:un(e=>RegExp(`^ {0,${e}}(?:</?(?:${vn})(?:[ \\t]+|$|/?>)|<(?:(?:script|pre|style|textarea)(?:[\\s>]|$)|!--)|<\\?|<![A-Za-z]|<!\\[CDATA\\[)`,`i`)),blockquoteBeginRegex:un(e=>RegExp(`^ {0,${e}}>`)),nestedContainerMarkers:/^(?: {0,3}(?:(?:[*+-]|\d{1,9}[.)])[ \t]+|>[ \t]?))+/},fn=/^(?:[ \t]*(?:\n|$))+/,pn=/^((?: {4}| {0,3}\t)[^\n]+(?:\n(?:[ \t]*(?:\n|$))*)?)+/,mn=/^ {0,3}(`{3,}(?=[^`\n]*(?:\n|$))|~{3,})([^\n]*)(?:\n|$)(?:|([\s\S]*?)(?:\n|$))(?: {0,3}(?:(?=`)\1`*|(?=~)\1~*) *(?=\n|$)|$)/,hn=/^ {0,3}((?:-[\t ]*){3,}|(?:_[ \t]*){3,}|(?:\*[ \t]*){3,})(?:\n+|$)/,gn=/^ {0,3}(#{1,6})(?=\s|$)(.*)(?:\n+|$)/,_n=/ {0,3}(?:[*+-]|\d{1,9}[.)])/,vn=`address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|menuitem|meta|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul`,yn=R(` {0,3}(?:</?(?:tag)(?:[ \\t]+|\\n|/?>)|<(?:(?:script|pre|style|textarea)(?:[\\s>]|$)|!--)|<\\?|<![A-Za-z]|<!\\[CDATA\\[)`).replace(`tag`,vn).getRegex(),bn=/^(?!bull |blockCode|fences|blockquote|heading|html|table)((?:.|\n(?!\s*?\n|bull |fences|blockquote|heading|hr|html|table))+?)\n {0,3}(=+|-+)[ \t]*(?:\n+|$)/,xn=R(bn).replace(/bull/g,_n).replace(/blockCode/g,/(?: {4}| {0,3}\t)/).replace(/fences/g,/ {0,3}(?:`{3,}|~{3,})/).replace(/blockquote/g,/ {0,3}>/).replace(/heading/g,/ {0,3}#{1,6}(?:\s|$)/).replace(/hr/g,/ {0,3}(?:(?:-[\t ]*){3,}|(?:_[ \t]*){3,}|(?:\*[ \t]*){3,})(?:\n+|$)/).replace(/\|table/g,``).replace(/html/g,yn).getRegex(),Sn=R(bn).replace(/bull/g,_n).replace(/blockCode/g,/(?: {4}| {0,3}\t)/).replace(/fences/g,/ {0,3}(?:`{3,}|~{3,})/).replace(/blockquote/g,/ {0,3}>/).replace(/heading/g,/ {0,3}#{1,6}(?:\s|$)/).replace(/hr/g,/ {0,3}(?:(?:-[\t ]*){3,}|(?:_[ \t]*){3,}|(?:\*[ \t]*){3,})(?:\n+|$)/).replace(/table/g,/ {0,3}\|?(?:[:\- ]*\|)+[\:\- ]*\n/).replace(/html/g,yn).getRegex(),Cn=/^([^\n]+(?:\n(?!hr|heading|lheading|blockquote|fences|list|html|table|[ \t]+\n)[^\n]+)*)/,wn=/^[^\n]+/,Tn=/(?!\s*\])(?:\\[\s\S]|[^\[\]\\\n]|\n(?![ \t]*\n))+/,En=R(/^ {0,3}\[(label)\]: *(?:\n[ \t]*)?([^<\s][^\s]*|<(?:\\.|[^\n<>\\])*>)(?:(?: +(?:\n[ \t]*)?| *\n[ \t]*)(title))? *(?:\n+|$)/).replace(`label`,Tn).replace(`title`,/(?:"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\\n]|\n(?!\n))*'|\((?:\\[\s\S]|[^()\\])*\))/).getRegex(),Dn=R(/^(bull)([ \t][^\n]*?)?(?:\n|$)/).replace(/bull/g,_n).getRegex(),On=/<!--(?:-?>|[\s\S]*?(?:-->|$))/,kn=R(`^ {0,3}(?:<(script|pre|style|textarea)[\\s>][\\s\\S]*?(?:</\\1>[^\\n]*\\n*|$)|comment[^\\n]*(\\n+|$)|<\\?[\\s\\S]*?(?:\\?>[^\\n]*\\n*|$)|<![A-Z][\\s\\S]*?(?:>[^\\n]*\\n*|$)|<!\\[CDATA\\[[\\s\\S]*?(?:\\]\\]>[^\\n]*\\n*|$)|</?(tag)(?:[ \\t]+|\\n|/?>|$)[\\s\\S]*?(?:(?:\\n[ 	]*)+\\n|$)|<(?!(?:script|pre|style|textarea)(?![a-z0-9-]))([a-z][a-z0-9-]*)(?:attribute)*?[ \\t]*/?>(?=[ \\t]*(?:\\n|$))[\\s\\S]*?(?:(?:\\n[ 	]*)+\\n|$)|</[a-z][a-z0-9-]*\\s*>(?=[ \\t]*(?:\\n|$))[\\s\\S]*?(?:(?:\\n[ 	]*)+\\n|$))`,`i`).replace(`comment`,On).replace(`tag`,vn).replace(`attribute`,/[ \t]+[a-zA-Z:_][\w.:-]*(?:[ \t]*=[ \t]*"[^"\n]*"|[ \t]*=[ \t]*'[^'\n]*'|[ \t]*=[ \t]*[^\s"'=<>`]+)?/).getRegex(),An=e=>R(Cn).replace(`hr`,hn).replace(`heading`,` {0,3}#{1,6}(?:\\s|$)`).replace(`|lheading`,``).replace(`|table`,``).replace(`blockquote`,` {0,3}>`).replace(`fences`," {0,3}(?:`{3,}(?=[^`\\n]*(?:\\n|$))|~~~)[^\\n]*(?:\\n|$)").replace(`list`,e).replace(`html`,yn).getRegex(),jn=An(/ {0,3}(?:[*+-]|1[.)])[ \t]+[^ \t\n]/),Mn=An(/ {0,3}(?:[*+-]|\d{1,9}[.)])(?:[ \t]|\n|$)/),Nn={blockquote:R(/^( {0,3}> ?(?:(?![ \t]*(?:\n|$))(paragraph)|[^\n]*)(?:\n|$))+/).replace(`paragraph`,Mn).getRegex(),code:pn,def:En,fences:mn,heading:gn,hr:hn,html:kn,lheading:xn,list:Dn,newline:fn,paragraph:jn,table:ln,text:wn},Pn=R(`^ *([^\\n ].*)\\n {0,3}((?:\\| *)?:?-+:? *(?:\\| *:?-+:? *)*(?:\\| *)?)(?:\\n((?:(?! *\\n|hr|heading|blockquote|code|fences|list|html).*(?:\\n|$))*)\\n*|$)`).replace(`hr`,hn).replace(`heading`,` {0,3}#{1,6}(?:\\s|$)`).replace(`blockquote`,` {0,3}>`).replace(`code`,`(?: {4}| {0,3}	)[^\\n]`).replace(`fences`," {0,3}(?:`{3,}(?=[^`\\n]*(?:\\n|$))|~~~)[^\\n]*(?:\\n|$)").replace(`list`,` {0,3}(?:[*+-]|1[.)])[ \\t]`).replace(`html`,yn).getRegex(),Fn={...Nn,lheading:Sn,table:Pn,paragraph:R(Cn).replace(`hr`,hn).replace(`heading`,` {0,3}#{1,6}(?:\\s|$)`).replace(`|lheading`,``).replace(`table`,Pn).replace(`blockquote`,` {0,3}>`).replace(`fences`," {0,3}(?:`{3,}(?=[^`\\n]*(?:\\n|$))|~~~)[^\\n]*(?:\\n|$)").replace(`list`,` {0,3}(?:[*+-]|1[.)])[ \\t]+[^ \\t\\n]`).replace(`html`,yn).getRegex()},In={...Nn,html:R(`^ *(?:comment(?: *\\n|\\s*$)|<(tag)[\\s\\S]+?</\\1>(?: *\\n{2,}|\\s*$)|<tag(?:"[^"]*"|'[^']*'|\\s[^'"/>\\s]*)*?/?>(?: *\\n{2,}|\\s*$))`).replace(`comment`,On).replace(/tag/g,`(?!(?:a|em|strong|small|s|cite|q|dfn|abbr|data|time|code|var|samp|kbd|sub|sup|i|b|u|mark|ruby|rt|rp|bdi|bdo|span|br|wbr|ins|del|img)\\b)\\w+(?!:|[^\\w\\s@]*@)\\b`).getRegex(),def:/^ *\[([^\]]+)\]: *<?([^\s>]+)>?(?: +(["(][^\n]+[")]))? *(?:\n+|$)/,heading:/^(#{1,6})(.*)(?:\n+|$)/,fences:ln,lheading:/^(.+?)\n {0,3}(=+|-+) *(?:\n+|$)/,paragraph:R(Cn).replace(`hr`,hn).replace(`heading`,` *#{1,6} *[^
]`).replace(`|table`,``).replace(`blockquote`,` {0,3}>`).replace(`|fences`,``).replace(`|list`,``).replace(`|html`,``).replace(`|tag`,``).replace(`lheading`,xn).getRegex()},Ln=/^\\([!"#$%&'()*+,\-./:;<=>?@\[\]\\^_`{|}~])/,Rn=/^(`+)([^`]|[^`][\s\S]*?[^`])\1(?!`)/,zn=/^( {2,}|\\)\n(?!\s*$)[ \t]*/,Bn=/^(`+|[^`])(?:(?= {2,}\n)|[\s\S]*?(?:(?=[\\<!\[`*_]|\b_|$)|[^ ](?= {2,}\n)))/,B=/[\p{P}\p{S}]/u,Vn=/[\s\p{P}\p{S}]/u,Hn=/[^\s\p{P}\p{S}]/u,Un=R(/^((?![*_])punctSpace)/,`u`).replace(/punctSpace/g,Vn).getRegex(),Wn=/[\p{Pi}\p{Ps}"']/u,Gn=/(?!~)[\p{P}\p{S}]/u,Kn=/(?!~)[\s\p{P}\p{S}]/u,qn=/(?:[^\s\p{P}\p{S}]|~)/u,Jn=R(/link|precode-code|html/,`g`).replace(`link`,/\[(?:[^\[\]`]|(?<a>`+)[^`]+\k<a>(?!`))*?\]\((?:\\[\s\S]|[^\\\(\)]|\((?:\\[\s\S]|[^\\\(\)])*\))*\)/).replace(`precode-`,dn?"(?<!`)()":"(^^|[^`])").replace(`code`,/(?<b>`+)[^`]+\k<b>(?!`)/).replace(`html`,/<(?! )[^<>]*?>/).getRegex(),Yn=/^(?:\*+(?:((?!\*)punct)|([^\s*]))?)|^_+(?:((?!_)punct)|([^\s_]))?/,Xn=R(Yn,`u`).replace(/punct/g,B).getRegex(),Zn=R(Yn,`u`).replace(/punct/g,Gn).getRegex(),Qn=R(/^(?:\*+(?:((?!\*)(?!openQuote)punct)|([^\s*]))?)|^_+(?:((?!_)(?!openQuote)punct)|([^\s_]))?/,`u`).replace(/openQuote/g,Wn).replace(/punct/g,B).getRegex(),$n=`^[^_*]*?__[^_*]*?\\*[^_*]*?(?=__)|[^*]+(?=[^*])|(?!\\*)punct(\\*+)(?=[\\s]|$)|notPunctSpace(\\*+)(?!\\*)(?=punctSpace|$)|(?!\\*)punctSpace(\\*+)(?=notPunctSpace)|[\\s](\\*+)(?!\\*)(?=punct)|(?!\\*)punct(\\*+)(?!\\*)(?=punct)|notPunctSpace(\\*+)(?=notPunctSpace)`,er=R($n,`gu`).replace(/notPunctSpace/g,Hn).replace(/punctSpace/g,Vn).replace(/punct/g,B).getRegex(),tr=R($n,`gu`).replace(/notPunctSpace/g,qn).replace(/punctSpace/g,Kn).replace(/punct/g,Gn).getRegex(),nr=R(`^[^_*]*?__[^_*]*?\\*[^_*]*?(?=__)|[^*]+(?=[^*])|(?!\\*)punct(\\*+)(?=[\\s]|$)|notPunctSpace(\\*+)(?!\\*)(?=punctSpace|$)|(?!\\*)[\\s](\\*+)(?=notPunctSpace)|[\\s](\\*+)(?!\\*)(?=punct)|(?!\\*)punct(\\*+)(?!\\*)(?=punct)|(?:(?!\\*)punct|notPunctSpace)(\\*+)(?!\\*)(?=notPunctSpace)`,`gu`).replace(/notPunctSpace/g,Hn).replace(/punctSpace/g,Vn).replace(/punct/g,B).getRegex(),rr=R(`^[^_*]*?\\*\\*[^_*]*?_[^_*]*?(?=\\*\\*)|[^_]+(?=[^_])|(?!_)punct(_+)(?=[\\s]|$)|notPunctSpace(_+)(?!_)(?=punctSpace|$)|(?!_)punctSpace(_+)(?=notPunctSpace)|[\\s](_+)(?!_)(?=punct)|(?!_)punct(_+)(?!_)(?=punct)`,`gu`).replace(/notPunctSpace/g,Hn).replace(/punctSpace/g,Vn).replace(/punct/g,B).getRegex(),ir=R(`^[^_*]*?\\*\\*[^_*]*?_[^_*]*?(?=\\*\\*)|[^_]+(?=[^_])|(?!_)punct(_+)(?=[\\s]|$)|notPunctSpace(_+)(?!_)(?=punctSpace|$)|(?!_)[\\s](_+)(?=notPunctSpace)|[\\s](_+)(?!_)(?=punct)|(?!_)punct(_+)(?!_)(?=punct)|(?:(?!_)punct|notPunctSpace)(_+)(?!_)(?=notPunctSpace)`,`gu`).replace(/notPunctSpace/g,Hn).replace(/punctSpace/g,Vn).replace(/punct/g,B).getRegex(),ar=R(/^~~?(?:((?!~)punct)|[^\s~])/,`u`).replace(/punct/g,B).getRegex(),or=R(`^[^~]+(?=[^~])|(?!~)punct(~~?)(?=[\\s]|$)|notPunctSpace(~~?)(?!~)(?=punctSpace|$)|(?!~)punctSpace(~~?)(?=notPunctSpace)|[\\s](~~?)(?!~)(?=punct)|(?!~)punct(~~?)(?!~)(?=punct)|notPunctSpace(~~?)(?=notPunctSpace)`,`gu`).replace(/notPunctSpace/g,Hn).replace(/punctSpace/g,Vn).replace(/punct/g,B).getRegex(),sr=R(/\\(punct)/,`gu`).replace(/punct/g,B).getRegex(),cr=R(/(`+)(?:[^`]|[^`][\s\S]*?[^`])\1(?!`)|`+|\\(punct)/,`gu`).replace(/punct/g,B).getRegex(),lr=R(/^<(scheme:[^\s\x00-\x1f<>]*|email)>/).replace(`scheme`,/[a-zA-Z][a-zA-Z0-9+.-]{1,31}/).replace(`email`,/[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+(@)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+(?![-_])/).getRegex(),ur=R(On).replace(`(?:-->|$)`,`-->`).getRegex(),dr=R(`^comment|^</[a-zA-Z][a-zA-Z0-9-]*\\s*>|^<[a-zA-Z][a-zA-Z0-9-]*(?:attribute)*?\\s*/?>|^<\\?[\\s\\S]*?\\?>|^<![a-zA-Z]+\\s[\\s\\S]*?>|^<!\\[CDATA\\[[\\s\\S]*?\\]\\]>`).replace(`comment`,ur).replace(`attribute`,/\s+[a-zA-Z:_][\w.:-]*(?:\s*=\s*"[^"]*"|\s*=\s*'[^']*'|\s*=\s*[^\s"'=<>`]+)?/).getRegex(),fr=/\[(?:\\[\s\S]|[^\[\]\\])*\]/,pr=R(/(?:\[(?:brackets|\\[\s\S]|[^\[\]\\])*\]|\\[\s\S]|`+(?!`)[^`]*?`+(?!`)|``+(?=\])|[^\[\]\\`])*?/).replace(`brackets`,fr).getRegex(),mr=R(/^!?\[(label)\]\([ \t\n]*(href)(?:(?:[ \t]+(?:\n[ \t]*)?|\n[ \t]*)(title))?[ \t\n]*\)/).replace(`label`,pr).replace(`href`,/<(?:\\.|[^\n<>\\])*>|(?!<)[^ \t\n\x00-\x1f]+|(?=\))/).replace(`title`,/"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'|\((?:\\[\s\S]|[^)\\])*\)/).getRegex(),hr=R(/^!?\[(label)\]\[(ref)\]/).replace(`label`,pr).replace(`ref`,Tn).getRegex(),gr=R(/^!?\[(ref)\](?:\[\])?/).replace(`ref`,Tn).getRegex(),_r=/(?!\s*\])(?:\\[\s\S]|[^\[\]\\]){1,999}/,vr=R(/(?:[^\[\]\\`]*(?:\[(?:brackets|\\[\s\S]|[^\[\]\\])*\]|\\[\s\S]|`+(?!`)[^`]*?`+(?!`)|``+(?=\]))){0,999}?[^\[\]\\`]*?/).replace(`brackets`,fr).getRegex(),yr=R(`reflink|nolink(?!\\()`,`g`).replace(`reflink`,R(/^!?\[(label)\]\[(ref)\]/).replace(`label`,vr).replace(`ref`,_r).getRegex()).replace(`nolink`,R(/^!?\[(ref)\](?:\[\])?/).replace(`ref`,_r).getRegex()).getRegex(),br=/[hH][tT][tT][pP][sS]?|[fF][tT][pP]/,xr=R(/(?:mailto:email|xmpp:email(?:\/[A-Za-z0-9@.]+)?)/).replace(/email/g,/[A-Za-z0-9._+-]+@[a-zA-Z0-9-_]+(?:\.[a-zA-Z0-9-_]*[a-zA-Z0-9])+(?![\w-])/).getRegex(),Sr={_backpedal:ln,anyPunctuation:sr,anyPunctuationOutsideCode:cr,autolink:lr,blockSkip:Jn,br:zn,code:Rn,del:ln,delLDelim:ln,delRDelim:ln,emStrongLDelim:Xn,emStrongRDelimAst:er,emStrongRDelimUnd:rr,escape:Ln,link:mr,nolink:gr,punctuation:Un,reflink:hr,reflinkSearch:yr,tag:dr,text:Bn,url:ln},Cr={...Sr,emStrongLDelim:Qn,emStrongRDelimAst:nr,emStrongRDelimUnd:ir,link:R(/^!?\[(label)\]\((.*?)\)/).replace(`label`,pr).getRegex(),reflink:R(/^!?\[(label)\]\s*\[([^\]]*)\]/).replace(`label`,pr).getRegex()},wr={...Sr,emStrongRDelimAst:tr,emStrongLDelim:Zn,delLDelim:ar,delRDelim:or,url:R(/^emailProtocol|^((?:protocol):\/\/|www\.)(?:[a-zA-Z0-9\-]+\.?)+[^\s<]*|^email/).replace(`emailProtocol`,xr).replace(`protocol`,br).replace(`email`,/[A-Za-z0-9._+-]+(@)[a-zA-Z0-9-_]+(?:\.[a-zA-Z0-9-_]*[a-zA-Z0-9])+(?![\w-])/).getRegex(),_backpedal:/(?:[^?!.,:;*_'"~()&]+|\([^)]*\)|&(?![a-zA-Z0-9]+;$)|[?!.,:;*_'"~)]+(?!$))+/,del:/^(~~?)(?=[^\s~])((?:\\[\s\S]|[^\\])*?(?:\\[\s\S]|[^\s~\\]))\1(?=[^~]|$)/,text:R(/^(?:[^a-zA-Z0-9](?=emailProtocol)|(`+|~+|[^`~])(?:(?=[`~])|(?= {2,}\n)|(?=[a-zA-Z0-9.!#$%&'*+\/=?_`{\|}~-]+@)|[\s\S]*?(?:(?=[\\<!\[`*~_]|\b_|protocol:\/\/|wwwStart|$)|[^ ](?= {2,}\n)|[^a-zA-Z0-9](?=emailProtocol)|[^a-zA-Z0-9.!#$%&'*+\/=?_`{\|}~-](?=[a-zA-Z0-9.!#$%&'*+\/=?_`{\|}~-]+@))))/).replace(`protocol`,br).replace(/emailProtocol/g,/(?:mailto|xmpp):/).replace(`wwwStart`,dn?`(?<![^\\s*_~(])www\\.`:`www\\.`).getRegex()},Tr={...wr,br:R(zn).replace(`{2,}`,`*`).getRegex(),text:R(wr.text).replace(`\\b_`,`\\b_| {2,}\\n`).replace(/\{2,\}/g,`*`).getRegex()},Er={normal:Nn,gfm:Fn,pedantic:In},Dr={normal:Sr,gfm:wr,breaks:Tr,pedantic:Cr},Or={"&":`&amp;`,"<":`&lt;`,">":`&gt;`,'"':`&quot;`,"'":`&#39;`},kr=e=>Or[e];function V(e,t){if(t){if(z.escapeTest.test(e))return e.replace(z.escapeReplace,kr)}else if(z.escapeTestNoEncode.test(e))return e.replace(z.escapeReplaceNoEncode,kr);return e}function Ar(e){return z.numericCharacterReference.test(e)?e.replace(z.numericCharacterReferenceOrAmpersand,(e,t,n)=>{if(t===void 0&&n===void 0)return`&amp;`;let r=t===void 0?Number.parseInt(n,16):Number.parseInt(t,10);return r===0||r>1114111||r>=55296&&r<=57343?`�`:r===38?`&amp;`:String.fromCodePoint(r)}):e}function jr(e){try{e=encodeURI(e).replace(z.percentDecode,`%`)}catch{return null}return e}function Mr(e,t){let n=e.replace(z.findPipe,(e,t,n)=>{let r=!1,i=t;for(;--i>=0&&n[i]===`\\`;)r=!r;return r?`|`:` |`}).split(z.splitPipe),r=0;if(n[0].trim()||n.shift(),n.length>0&&!n.at(-1)?.trim()&&n.pop(),t){if(n.length>t)n.splice(t);else for(;n.length<t;)n.push(``)}for(;r<n.length;r++)n[r]=n[r].trim().replace(z.slashPipe,`|`);return n}function H(e,t,n){let r=e.length;if(r===0)return``;let i=0;for(;i<r;){let a=e.charAt(r-i-1);if(a===t&&!n)i++;else if(a!==t&&n)i++;else break}return e.slice(0,r-i)}function Nr(e){let t=e.split(`
`),n=t.length-1;for(;n>=0&&z.blankLine.test(t[n]);)n--;return t.length-n<=2?e:t.slice(0,n+1).join(`
`)}function Pr(e){return e.trim().replace(z.multipleSpaceGlobal,` `).toLowerCase().toUpperCase().toLowerCase()}function Fr(e,t){if(e.indexOf(t[0])===-1&&e.indexOf(t[1])===-1)return-1;let n=0;for(let r=0;r<e.length;r++)if(e[r]===`\\`)r++;else if(e[r]===t[0])n++;else if(e[r]===t[1]&&(n--,n<0))return r;return n>0?-2:-1}var Ir=new WeakMap;function Lr(e){let t={"*":-1,_:-1},n=-1,r=e.length;for(let i=0;i<r;i++){let a=e[i];if(a!==`*`&&a!==`_`&&a!==`~`)continue;let o=i===0?`
`:e[i-1],s=i+1;for(;s<r&&e[s]===a;)s++;o!==` `&&o!==`	`&&o!==`
`&&o!==`\r`&&o!==`\f`&&(a===`~`?n=i:t[a]=i),i=s-1}return{maskedSrc:e,lastPossibleEmStrongCloserIndex:t,lastPossibleDelCloserIndex:n}}function Rr(e,t){let n=Lr(t),r=Ir.get(e);r?r.push(n):Ir.set(e,[n])}function zr(e){let t=Ir.get(e);t&&(t.pop(),t.length===0&&Ir.delete(e))}function Br(e,t,n){let r=Ir.get(e)?.at(-1);return r&&r.maskedSrc===t?r.lastPossibleEmStrongCloserIndex[n]:Lr(t).lastPossibleEmStrongCloserIndex[n]}function Vr(e,t){let n=Ir.get(e)?.at(-1);return n&&n.maskedSrc===t?n.lastPossibleDelCloserIndex:Lr(t).lastPossibleDelCloserIndex}function Hr(e,t=0){let n=t,r=``;for(let t of e)if(t===`	`){let e=4-n%4;r+=` `.repeat(e),n+=e}else r+=t,n++;return r}function Ur(e,t){let n=``;for(let r=0;r<e.length;r++){if(e[r]==="`"){let i=t.inline.code.exec(e.slice(r));if(i){n+=i[0],r+=i[0].length-1;continue}}e[r]===`\\`&&(e[r+1]===`[`||e[r+1]===`]`)?(n+=e[r+1],r++):n+=e[r]}return n}function Wr(e,t,n,r,i){let a=t.href,o=t.title||null,s=Ur(e[1],i),c=e[0].charAt(0)===`!`,l=r.state.inLink,u=r.state.linkEmitted,d=r.state.inRawBlock;r.state.inLink=!0,r.state.linkEmitted=!1;let f=r.inlineTokens(s),p=r.state.linkEmitted;if(r.state.linkEmitted=u,r.state.inLink=l,!c){if(p){r.state.inRawBlock=d;return}r.state.linkEmitted=!0}return{type:c?`image`:`link`,raw:n,href:a,title:o,text:s,tokens:f}}function Gr(e,t,n){let r=e.match(n.other.indentCodeCompensation);if(r===null)return t;let i=r[1];return t.split(`
`).map(e=>{let t=e.match(n.other.beginningSpace);if(t===null)return e;let[r]=t;return e.slice(Math.min(r.length,i.length))}).join(`
`)}function Kr(e,t,n,r){if(!t.includes(`<`))return!1;for(let i=0;i<t.length;i++){if(t[i]===`\\`){i++;continue}if(t[i]==="`"){let e=r.inline.code.exec(t.slice(i));if(e){i+=e[0].length-1;continue}}if(t[i]!==`<`)continue;let a=e.slice(n+i),o=r.inline.tag.exec(a)||r.inline.autolink.exec(a);if(o){if(o[0].length>t.length-i)return!0;i+=o[0].length-1}}return!1}var qr=class{options;rules;lexer;constructor(e){this.options=e||sn}space(e){let t=this.rules.block.newline.exec(e);if(t&&t[0].length>0)return{type:`space`,raw:t[0]}}code(e){let t=this.rules.block.code.exec(e);if(t){let e=this.options.pedantic?t[0]:Nr(t[0]);return{type:`code`,raw:e,codeBlockStyle:`indented`,text:e.replace(this.rules.other.codeRemoveIndent,``)}}}fences(e){let t=this.rules.block.fences.exec(e);if(t){let e=t[0],n=Gr(e,t[3]||``,this.rules);return t[3]!==void 0&&(n===``||n.endsWith(`
`))&&(n+=`
`),{type:`code`,raw:e,lang:t[2]?t[2].trim().replace(this.rules.inline.anyPunctuation,`$1`):t[2],text:n}}}heading(e){let t=this.rules.block.heading.exec(e);if(t){let e=t[2].trim();if(this.rules.other.endingHash.test(e)){let t=H(e,`#`);(this.options.pedantic||!t||this.rules.other.endingSpaceTabChar.test(t))&&(e=t.trim())}return{type:`heading`,raw:H(t[0],`
`),depth:t[1].length,text:e,tokens:this.lexer.inline(e)}}}hr(e){let t=this.rules.block.hr.exec(e);if(t)return{type:`hr`,raw:H(t[0],`
`)}}blockquote(e){let t=this.rules.block.blockquote.exec(e);if(t){let e=H(t[0],`
`).split(`
`),n=``,r=``,i=[];for(;e.length>0;){let t=!1,a=[],o=0;for(;o<e.length;o++)if(this.rules.other.blockquoteStart.test(e[o]))a.push(e[o]),t=!0;else if(!t)a.push(e[o]);else break;e=e.slice(o);let s=a.join(`
`),c=s.replace(this.rules.other.blockquoteMarkerWhitespace,(e,t,n)=>n.startsWith(` `)?t+` `+n.slice(1):t+Hr(n,t.length)).replace(this.rules.other.blockquoteSetextReplace,`
    $1`).replace(this.rules.other.blockquoteSetextReplace2,``);n=n?`${n}
${s}`:s,r=r?`${r}
${c}`:c;let l=this.lexer.state.top;if(this.lexer.state.top=!0,this.lexer.blockTokens(c,i,!0),this.lexer.state.top=l,e.length===0)break;let u=i.at(-1);if(u?.type===`code`||u?.type===`heading`||u?.type===`hr`||u?.type===`html`||u?.type===`table`)break;if(u?.type===`blockquote`){let t=u,a=e.join(`
`),o=t.raw+`
`+a.replace(this.rules.other.blockquoteSetextReplace2,``),s=this.blockquote(o);i[i.length-1]=s;let c=o.substring(s.raw.length).replace(/^\n/,``),l=c?c.split(`
`).length:0,d=l?e.slice(0,-l):e;if(d.length>0&&(n=`${n}
${d.join(`
`)}`),r=r.substring(0,r.length-t.text.length)+s.text,e=e.slice(d.length),e.length>0&&this.rules.other.blockquoteStart.test(e[0]))continue;break}if(u?.type===`list`){let t=u,a=t.raw+`
`+e.join(`
`),o=this.list(a);i[i.length-1]=o;let s=o.raw.length>t.raw.length?a.slice(t.raw.length+1,o.raw.length).split(`
`).length:0;if(s>0){let t=e.slice(0,s).join(`
`);n=`${n}
${t}`,r=`${r}
${t}`}if(e=e.slice(s),e.length>0&&!this.rules.other.blockquoteStart.test(e[0]))break}}return{type:`blockquote`,raw:n,tokens:i,text:r}}}list(e){let t=this.rules.block.list.exec(e);if(t){if(!this.options.pedantic&&this.lexer.state.lastToken?.type===`text`&&!this.rules.other.listInterruptsParagraph.test(e))return;let n=e,r=()=>n.length-e.length,i=t[1].trim(),a=i.length>1,o={type:`list`,raw:``,ordered:a,start:a?+i.slice(0,-1):``,loose:!1,items:[]};i=a?`\\d{1,9}\\${i.slice(-1)}`:`\\${i}`,this.options.pedantic&&(i=a?i:`[*+-]`);let s=this.rules.other.listItemRegex(i),c=!1;for(;e;){let i=!1,a=``;if(!(t=s.exec(e))||this.rules.block.hr.test(e))break;let l=r();e=e.substring(t[0].length);let u=t[2].split(`
`,1)[0],d=t[1].length,f=this.options.pedantic?Hr(u,d):u.replace(this.rules.other.leadingSpaceTab,e=>Hr(e,d)),p=e.split(`
`,1)[0],m=!f.trim(),h=0;if(this.options.pedantic?(h=2,a=f.trimStart()):m?h=d+1:(h=f.search(this.rules.other.nonSpaceChar),h=h>4?1:h,a=f.slice(h),h+=d),m&&this.rules.other.blankLine.test(p)&&(e=e.substring(p.length+1),i=!0),!i){let t=this.rules.other.nextBulletRegex(h),n=this.rules.other.hrRegex(h),r=this.rules.other.fencesBeginRegex(h),i=this.options.pedantic?this.rules.other.pedanticHeadingBeginRegex(h):this.rules.other.headingBeginRegex(h),o=this.rules.other.htmlBeginRegex(h),s=this.rules.other.blockquoteBeginRegex(h),c=!1;for(;e;){let l=e.split(`
`,1)[0],u;if(p=l,this.options.pedantic?(p=p.replace(this.rules.other.listReplaceNesting,`  `),u=p):u=p.replace(this.rules.other.leadingSpaceTab,e=>Hr(e)),r.test(p)||i.test(p)||o.test(p)||s.test(p)||t.test(p)||n.test(p))break;if(u.search(this.rules.other.nonSpaceChar)>=h||!p.trim())a+=`
`+u.slice(h),c=!1;else{if(m)break;let e=f;if(!this.options.pedantic&&!a.includes(`
`)&&!f.includes(`	`)){let t;for(;!n.test(e)&&(t=this.rules.other.nestedBlockMarker.exec(e));)e=e.slice(t[0].length);if(!e.trim())break}if(e.replace(this.rules.other.tabCharGlobal,`    `).search(this.rules.other.nonSpaceChar)>=4||r.test(e)||i.test(e)||o.test(e)||n.test(e))break;if(!this.options.pedantic&&!c){let e=f.replace(this.rules.other.nestedContainerMarkers,``);if(this.rules.block.fences.test(e)||this.rules.block.heading.test(e)||this.rules.block.hr.test(e))break}let t=!this.options.pedantic&&/^ {0,3}(?:=+|-+) *$/.test(p)&&this.rules.block.lheading.test(`${f}
${p}`)?`    ${u.replace(/^ {0,3}/,``)}`:p;a+=`
`+t,c=!0}m=!p.trim(),e=e.substring(l.length+1),f=u.slice(h)}}let ee=n.slice(l,r());o.loose||(c?o.loose=!0:this.rules.other.doubleBlankLine.test(ee)&&(c=!0)),o.items.push({type:`list_item`,raw:ee,task:!!this.options.gfm&&this.rules.other.listIsTask.test(a),loose:!1,text:a,tokens:[]})}let l=o.items.at(-1);if(l)l.raw=l.raw.trimEnd(),l.text=l.text.trimEnd();else return;o.raw=n.slice(0,r()).trimEnd();let u=[];for(let e of o.items)if(this.lexer.state.top=!1,u.push(this.lexer.inlineQueue.length),e.tokens=this.lexer.blockTokens(e.text,[]),!o.loose){let t=e.tokens.filter(e=>e.type===`space`);o.loose=t.length>0&&t.some(e=>this.rules.other.anyLine.test(e.raw))}for(let e=0;e<o.items.length;e++){let t=o.items[e],n=t.tokens[0];if(t.task&&(n?.type===`text`||n?.type===`paragraph`)){t.text=t.text.replace(this.rules.other.listReplaceTask,``),n.raw=n.raw.replace(this.rules.other.listReplaceTask,``),n.text=n.text.replace(this.rules.other.listReplaceTask,``);let r=this.lexer.inlineQueue;for(let t=u[e];t<r.length;t++)if(r[t].tokens===n.tokens){r[t].src=r[t].src.replace(this.rules.other.listReplaceTask,``);break}let i=this.rules.other.listTaskCheckbox.exec(t.raw);if(i){let e={type:`checkbox`,raw:i[0]+` `,checked:i[0]!==`[ ]`};t.checked=e.checked,o.loose?t.tokens[0]&&[`paragraph`,`text`].includes(t.tokens[0].type)&&`tokens`in t.tokens[0]&&t.tokens[0].tokens?(t.tokens[0].raw=e.raw+t.tokens[0].raw,t.tokens[0].text=e.raw+t.tokens[0].text,t.tokens[0].tokens.unshift(e)):t.tokens.unshift({type:`paragraph`,raw:e.raw,text:e.raw,tokens:[e]}):t.tokens.unshift(e)}}else t.task&&=!1}if(o.loose)for(let e of o.items){e.loose=!0;for(let t of e.tokens)t.type===`text`&&(t.type=`paragraph`)}return o}}html(e){let t=this.rules.block.html.exec(e);if(t){if(this.lexer.state.lastToken?.type===`paragraph`&&!this.rules.other.htmlBeginRegex(4).test(e))return;let n=Nr(t[0]);return{type:`html`,block:!0,raw:n,pre:t[1]===`pre`||t[1]===`script`||t[1]===`style`,text:n}}}def(e){let t=this.rules.block.def.exec(e);if(t){if(!this.rules.other.startAngleBracket.test(t[2])&&Fr(t[2],`()`)!==-1)return;let e=Pr(t[1]),n=t[2]?t[2].replace(this.rules.other.hrefBrackets,`$1`).replace(this.rules.inline.anyPunctuation,`$1`):``,r=t[3]?t[3].substring(1,t[3].length-1).replace(this.rules.inline.anyPunctuation,`$1`):t[3];return{type:`def`,tag:e,raw:H(t[0],`
`),href:n,title:r}}}table(e){let t=this.rules.block.table.exec(e);if(!t||!this.rules.other.tableDelimiter.test(t[2]))return;let n=Mr(t[1]),r=t[2].replace(this.rules.other.tableAlignChars,``).split(`|`),i=t[3]?.trim()?t[3].replace(this.rules.other.tableRowBlankLine,``).split(`
`):[],a={type:`table`,raw:H(t[0],`
`),header:[],align:[],rows:[]};if(n.length===r.length){for(let e of r)this.rules.other.tableAlignRight.test(e)?a.align.push(`right`):this.rules.other.tableAlignCenter.test(e)?a.align.push(`center`):this.rules.other.tableAlignLeft.test(e)?a.align.push(`left`):a.align.push(null);for(let e=0;e<n.length;e++)a.header.push({text:n[e],tokens:this.lexer.inline(n[e]),header:!0,align:a.align[e]});for(let e of i)a.rows.push(Mr(e,a.header.length).map((e,t)=>({text:e,tokens:this.lexer.inline(e),header:!1,align:a.align[t]})));return a}}lheading(e){let t=this.rules.block.lheading.exec(e);if(t){let e=t[1].trim();return{type:`heading`,raw:H(t[0],`
`),depth:t[2].charAt(0)===`=`?1:2,text:e,tokens:this.lexer.inline(e)}}}paragraph(e){let t=this.rules.block.paragraph.exec(e);if(t){let e=t[1].charAt(t[1].length-1)===`
`?t[1].slice(0,-1):t[1];return{type:`paragraph`,raw:t[0],text:e,tokens:this.lexer.inline(e)}}}text(e){let t=this.rules.block.text.exec(e);if(t)return{type:`text`,raw:t[0],text:t[0],tokens:this.lexer.inline(t[0])}}escape(e){if(e.charCodeAt(0)!==92)return;let t=this.rules.inline.escape.exec(e);if(t)return{type:`escape`,raw:t[0],text:t[1]}}tag(e){if(e.charCodeAt(0)!==60)return;let t=this.rules.inline.tag.exec(e);if(t)return!this.lexer.state.inLink&&this.rules.other.startATag.test(t[0])?this.lexer.state.inLink=!0:this.lexer.state.inLink&&this.rules.other.endATag.test(t[0])&&(this.lexer.state.inLink=!1),!this.lexer.state.inRawBlock&&this.rules.other.startPreScriptTag.test(t[0])?this.lexer.state.inRawBlock=!0:this.lexer.state.inRawBlock&&this.rules.other.endPreScriptTag.test(t[0])&&(this.lexer.state.inRawBlock=!1),{type:`html`,raw:t[0],inLink:this.lexer.state.inLink,inRawBlock:this.lexer.state.inRawBlock,block:!1,text:t[0]}}link(e){if(this.lexer.state.linkParenPossible===!1)return;let t=e.charCodeAt(0);if(t!==91&&t!==33)return;let n=this.rules.inline.link.exec(e);if(n){let t=n[0].charAt(0)===`!`?2:1;if(!this.options.pedantic&&Kr(e,n[1],t,this.rules))return;let r=n[2].trim();if(!this.options.pedantic&&this.rules.other.startAngleBracket.test(r)){if(!this.rules.other.endAngleBracket.test(r))return;let e=H(r.slice(0,-1),`\\`);if((r.length-e.length)%2==0)return}else{let e=Fr(n[2],`()`);if(e===-2)return;if(e>-1){let t=(n[0].indexOf(`!`)===0?5:4)+n[1].length+e;n[2]=n[2].substring(0,e),n[0]=n[0].substring(0,t).trim(),n[3]=``}}let i=H(n[0].slice(0,-1),`\\`);if((n[0].length-i.length)%2==0)return;let a=n[2],o=``;if(this.options.pedantic){let e=this.rules.other.pedanticHrefTitle.exec(a);e&&(a=e[1],o=e[3])}else o=n[3]?n[3].slice(1,-1):``;return a=a.trim(),this.rules.other.startAngleBracket.test(a)&&(a=this.options.pedantic&&!this.rules.other.endAngleBracket.test(r)?a.slice(1):a.slice(1,-1)),Wr(n,{href:a&&a.replace(this.rules.inline.anyPunctuation,`$1`),title:o&&o.replace(this.rules.inline.anyPunctuation,`$1`)},n[0],this.lexer,this.rules)}}reflink(e,t){let n=e.charCodeAt(0);if(n!==91&&n!==33)return;let r;if((r=this.rules.inline.reflink.exec(e))||(r=this.rules.inline.nolink.exec(e))){let n=r[0].charAt(0)===`!`?2:1;if(!this.options.pedantic&&Kr(e,r[1],n,this.rules))return;let i=t[Pr(r[2]||r[1])];if(!i){let e=r[0].charAt(0);return{type:`text`,raw:e,text:e}}return Wr(r,i,r[0],this.lexer,this.rules)}}emStrong(e,t,n=``){let r=this.rules.inline.emStrongLDelim.exec(e);if(!r||!r[1]&&!r[2]&&!r[3]&&!r[4])return;let i=r[0][0],a=n===i,o=t.length-e.length,s=o;for(;!this.options.pedantic&&s>0&&t[s-1]===i;)s--;let c=[...t.slice(Math.max(0,s-2),s)].at(-1)??``,l=c===`*`||c===`_`||!!this.rules.inline.punctuation.exec(c);s<o&&(n=c);let u=s<o?l:n===`*`||n===`_`||!!this.rules.inline.punctuation.exec(n);if(r[4]&&n.match(this.rules.other.unicodeAlphaNumeric))return;let d=r[1]||r[3]||``;if(!d||!n||u){let n=[...r[0]].length-1,u,f,p=n,m=0,h=o-s+n,ee=!this.options.pedantic&&!!c.trim()&&(!!d||i===`*`&&!l);if(i!==`*`&&i!==`_`)return;let te=i===`*`?this.rules.inline.emStrongRDelimAst:this.rules.inline.emStrongRDelimUnd,ne=Br(this,t,i),re=t.length-e.length+n;if(ne<re)return;t=t.slice(-1*e.length+n);let ie=ne-re;for(te.lastIndex=0;(r=te.exec(t))!==null&&!(r.index>ie);){if(u=r[1]||r[2]||r[3]||r[4]||r[5]||r[6],!u)continue;if(f=[...u].length,r[3]||r[4]){p+=f;continue}if((r[5]||r[6]||ee)&&h%3&&!((h+f)%3)){if(a&&(r[5]||r[6]))break;m+=f;continue}if(p-=f,p>0)continue;f=Math.min(f,f+p+m);let t=[...r[0]][0].length,i=e.slice(0,n+r.index+t+f);if(Math.min(n,f)%2){let e=i.slice(1,-1);return{type:`em`,raw:i,text:e,tokens:this.lexer.inlineTokens(e)}}let o=i.slice(2,-2);return{type:`strong`,raw:i,text:o,tokens:this.lexer.inlineTokens(o)}}}}codespan(e){if(e.charCodeAt(0)!==96)return;let t=this.rules.inline.code.exec(e);if(t){let e=t[2].replace(this.rules.other.newLineCharGlobal,` `),n=this.rules.other.nonSpaceChar.test(e),r=this.rules.other.startingSpaceChar.test(e)&&this.rules.other.endingSpaceChar.test(e);return n&&r&&(e=e.substring(1,e.length-1)),{type:`codespan`,raw:t[0],text:e}}}br(e){let t=e.charCodeAt(0);if(t!==32&&t!==92&&t!==10)return;let n=this.rules.inline.br.exec(e);if(n)return{type:`br`,raw:n[0]}}del(e,t,n=``){if(e.charCodeAt(0)!==126)return;let r=this.rules.inline.delLDelim.exec(e);if(r&&(!r[1]||!n||this.rules.inline.punctuation.exec(n))){let n=[...r[0]].length-1,i,a,o=n,s=this.rules.inline.delRDelim,c=Vr(this,t),l=t.length-e.length+n;if(c<l)return;t=t.slice(-1*e.length+n);let u=c-l;for(s.lastIndex=0;(r=s.exec(t))!==null&&!(r.index>u);){if(i=r[1]||r[2]||r[3]||r[4]||r[5]||r[6],!i||(a=[...i].length,a!==n))continue;if(r[3]||r[4]){o+=a;continue}if(o-=a,o>0)continue;a=Math.min(a,a+o);let t=[...r[0]][0].length,s=e.slice(0,n+r.index+t+a),c=s.slice(n,-n);return{type:`del`,raw:s,text:c,tokens:this.lexer.inlineTokens(c)}}}}autolink(e){if(e.charCodeAt(0)!==60)return;let t=this.rules.inline.autolink.exec(e);if(t){let e,n;return t[2]===`@`?(e=t[1],n=`mailto:`+e):(e=t[1],n=e),{type:`link`,raw:t[0],text:e,href:n,autolink:!0,tokens:[{type:`text`,raw:e,text:e}]}}}url(e){let t;if(t=this.rules.inline.url.exec(e)){let e,n;if(t[2]===`@`)e=t[0],n=`mailto:`+e;else{let r;do r=t[0],t[0]=this.rules.inline._backpedal.exec(t[0])?.[0]??``;while(r!==t[0]);e=t[0],n=t[1]===`www.`?`http://`+t[0]:t[0]}return{type:`link`,raw:t[0],text:e,href:n,autolink:!0,tokens:[{type:`text`,raw:e,text:e}]}}}inlineText(e){let t=this.rules.inline.text.exec(e);if(t){let e=this.lexer.state.inRawBlock;return{type:`text`,raw:t[0],text:e?t[0]:Ar(t[0]),escaped:e}}}},U=class e{tokens;options;state;inlineQueue;tokenizer;constructor(e){this.tokens=[],this.tokens.links=Object.create(null),this.options=e||sn,this.options.tokenizer=this.options.tokenizer||new qr,this.tokenizer=this.options.tokenizer,this.tokenizer.options=this.options,this.tokenizer.lexer=this,this.inlineQueue=[],this.state={inLink:!1,inRawBlock:!1,linkEmitted:!1,linkParenPossible:!0,top:!0};let t={other:z,block:Er.normal,inline:Dr.normal};this.options.pedantic?(t.block=Er.pedantic,t.inline=Dr.pedantic):this.options.gfm&&(t.block=Er.gfm,t.inline=this.options.breaks?Dr.breaks:Dr.gfm),this.tokenizer.rules=t}static get rules(){return{block:Er,inline:Dr}}static lex(t,n){return new e(n).lex(t)}static lexInline(t,n){return new e(n).inlineTokens(t)}lex(e){e=e.replace(z.carriageReturn,`
`),this.blockTokens(e,this.tokens);for(let e=0;e<this.inlineQueue.length;e++){let t=this.inlineQueue[e];this.state.inRawBlock=!1,this.inlineTokens(t.src,t.tokens)}return this.inlineQueue=[],this.tokens}blockTokens(e,t=[],n=!1){this.tokenizer.lexer=this;let r=this.state.lastToken;this.options.pedantic&&(e=e.replace(z.tabCharGlobal,`    `).replace(z.spaceLine,``));let i=1/0,a,o=this.options.gfm&&!this.options.pedantic&&this.tokenizer.paragraph===qr.prototype.paragraph;for(;e;){if(e.length<i)i=e.length;else{this.infiniteLoopError(e.charCodeAt(0));break}this.state.lastToken=t.at(-1);let r;if(this.options.extensions?.block?.some(n=>(r=n.call({lexer:this},e,t))?(e=e.substring(r.raw.length),t.push(r),!0):!1))continue;if(r=this.tokenizer.space(e)){e=e.substring(r.raw.length);let n=t.at(-1);r.raw.length===1&&n!==void 0?n.raw+=`
`:t.push(r);continue}if(r=this.tokenizer.code(e)){e=e.substring(r.raw.length);let n=t.at(-1);n?.type===`paragraph`||n?.type===`text`?(n.raw+=(n.raw.endsWith(`
`)?``:`
`)+r.raw,n.text+=`
`+r.text,this.inlineQueue.at(-1).src=n.text):t.push(r);continue}if((r=this.tokenizer.fences(e))||(r=this.tokenizer.heading(e))||(r=this.tokenizer.hr(e))||(r=this.tokenizer.blockquote(e))||(r=this.tokenizer.list(e))||(r=this.tokenizer.html(e))){e=e.substring(r.raw.length),t.push(r);continue}if(r=this.tokenizer.def(e)){e=e.substring(r.raw.length);let n=t.at(-1);n?.type===`paragraph`||n?.type===`text`?(n.raw+=(n.raw.endsWith(`
`)?``:`
`)+r.raw,n.text+=`
`+r.raw,this.inlineQueue.at(-1).src=n.text):(this.tokens.links[r.tag]||(this.tokens.links[r.tag]={href:r.href,title:r.title}),t.push(r));continue}if((r=this.tokenizer.table(e))||(r=this.tokenizer.lheading(e))){e=e.substring(r.raw.length),t.push(r);continue}let s=e;if(this.options.extensions?.startBlock){let t=1/0,n=e.slice(1),r;this.options.extensions.startBlock.forEach(e=>{r=e.call({lexer:this},n),typeof r==`number`&&r>=0&&(t=Math.min(t,r))}),t<1/0&&t>=0&&(s=e.substring(0,t+1))}if(this.state.top&&(r=this.tokenizer.paragraph(s))){let i=t.at(-1);(n||i===a&&o)&&i?.type===`paragraph`?(i.raw+=(i.raw.endsWith(`
`)?``:`
`)+r.raw,i.text+=`
`+r.text,this.inlineQueue.pop(),this.inlineQueue.at(-1).src=i.text,a=i):(t.push(r),a=r),n=s.length!==e.length,e=e.substring(r.raw.length)}else if(r=this.tokenizer.text(e)){e=e.substring(r.raw.length);let n=t.at(-1);n?.type===`text`?(n.raw+=(n.raw.endsWith(`
`)?``:`
`)+r.raw,n.text+=`
`+r.text,this.inlineQueue.pop(),this.inlineQueue.at(-1).src=n.text):t.push(r)}else if(e){this.infiniteLoopError(e.charCodeAt(0));break}}return this.state.top=!0,this.state.lastToken=r,t}inline(e,t=[]){return this.inlineQueue.push({src:e,tokens:t}),t}linkInText(e){if(!e.includes(`[`))return!1;let t=this.tokenizer.rules.inline.link;for(let n of e.matchAll(this.tokenizer.rules.inline.blockSkip))if(t.test(n[0])&&e.charAt(n.index-1)!==`!`)return!0;for(let t of e.matchAll(this.tokenizer.rules.inline.reflinkSearch)){let e=t[0],n=e.lastIndexOf(`[`);if(e.charAt(0)!==`!`&&Object.hasOwn(this.tokens.links,Pr(e.slice(n+1,-1)))&&!(n>1&&this.linkInText(e.slice(1,n-1))))return!0}return!1}inlineTokens(e,t=[]){this.tokenizer.lexer=this;let n=this.state.linkParenPossible;this.state.linkParenPossible=e.includes(`)`);try{return this.#e(e,t)}finally{this.state.linkParenPossible=n}}#e(e,t){let n=e.includes(`*`)||e.includes(`_`)||e.includes(`~`),r=n||this.options.hooks?.emStrongMask||this.tokenizer.emStrong!==qr.prototype.emStrong||this.tokenizer.del!==qr.prototype.del?this.#r(e):e;if(!n)return this.#t(e,r,t);Rr(this.tokenizer,r);try{return this.#t(e,r,t)}finally{zr(this.tokenizer)}}#t(e,t,n){let r=!1,i=``,a=1/0;for(;e;){if(e.length<a)a=e.length;else{this.infiniteLoopError(e.charCodeAt(0));break}r||(i=``),r=!1;let o;if(this.options.extensions?.inline?.some(t=>(o=t.call({lexer:this},e,n))?(e=e.substring(o.raw.length),n.push(o),!0):!1))continue;if((o=this.tokenizer.escape(e))||(o=this.tokenizer.tag(e))||(o=this.tokenizer.link(e))){e=e.substring(o.raw.length),n.push(o);continue}if(o=this.tokenizer.reflink(e,this.tokens.links)){e=e.substring(o.raw.length);let t=n.at(-1);o.type===`text`&&t?.type===`text`?(t.raw+=o.raw,t.text+=o.text):n.push(o);continue}let s=e[0];if(s===`*`||s===`_`){let a=t.length-e.length;if(Br(this.tokenizer,t,s)<=a){let t=1;for(;t<e.length&&e.charCodeAt(t)===s.charCodeAt(0);)t++;let a=e.substring(0,t),o=n.at(-1);o?.type===`text`&&!o.escaped?(o.raw+=a,o.text+=a):n.push({type:`text`,raw:a,text:a,escaped:!1}),e=e.substring(t),i=s,r=!0;continue}}else if(s===`~`){let a=t.length-e.length;if(Vr(this.tokenizer,t)<=a){let t=1;for(;t<e.length&&e.charCodeAt(t)===126;)t++;let a=e.substring(0,t),o=n.at(-1);o?.type===`text`&&!o.escaped?(o.raw+=a,o.text+=a):n.push({type:`text`,raw:a,text:a,escaped:!1}),e=e.substring(t),i=s,r=!0;continue}}if((o=this.tokenizer.emStrong(e,t,i))||(o=this.tokenizer.codespan(e))||(o=this.tokenizer.br(e))||(o=this.tokenizer.del(e,t,i))||(o=this.tokenizer.autolink(e))||!this.state.inLink&&(o=this.tokenizer.url(e))){e=e.substring(o.raw.length),n.push(o);continue}let c=e;if(this.options.extensions?.startInline){let t=1/0,n=e.slice(1),r;this.options.extensions.startInline.forEach(e=>{r=e.call({lexer:this},n),typeof r==`number`&&r>=0&&(t=Math.min(t,r))}),t<1/0&&t>=0&&(c=e.substring(0,t+1))}if(o=this.tokenizer.inlineText(c)){e=e.substring(o.raw.length),o.raw.slice(-1)!==`_`&&(i=o.raw.slice(-1)),r=!0;let t=n.at(-1);t?.type===`text`?(t.raw+=o.raw,t.text+=o.text):n.push(o)}else if(e){this.infiniteLoopError(e.charCodeAt(0));break}}return n}#n(e){let{blockSkip:t,tag:n,autolink:r}=this.tokenizer.rules.inline,i=``,a=0,o;for(t.lastIndex=0;o=t.exec(e);){let s=o.index+(o[2]?o[2].length:0),c=o.index+o[0].length;if(e.charAt(s)===`<`){let i=e.slice(s),a=n.exec(i)||r.exec(i);if(!a){t.lastIndex=s+1;continue}c=s+a[0].length,t.lastIndex=c}i+=e.slice(a,s)+`[`+`a`.repeat(c-s-2)+`]`,a=c}return i+e.slice(a)}#r(e){let t=e;if(this.tokens.links&&e.includes(`[`)){let e=this.tokenizer.rules.inline.reflinkSearch,n=t=>{let r=t.lastIndexOf(`[`);if(!Object.hasOwn(this.tokens.links,Pr(t.slice(r+1,-1))))return t;if(r>1&&t.charAt(0)!==`!`){let i=t.slice(1,r-1);if(this.linkInText(i))return`[`+i.replace(e,n)+`][`+`a`.repeat(t.length-r-2)+`]`}return`[`+`a`.repeat(t.length-2)+`]`};t=t.replace(e,n)}return t=t.replace(this.tokenizer.rules.inline.anyPunctuationOutsideCode,(e,t,n)=>n?`+`.repeat(e.length):t?t+e.slice(t.length,-t.length).replace(/`/g,`+`)+t:e),t=this.#n(t),t=this.options.hooks?.emStrongMask?.call({lexer:this},t)??t,t}infiniteLoopError(e){let t=`Infinite loop on byte: `+e;if(this.options.silent)console.error(t);else throw Error(t)}},Jr=class{options;parser;constructor(e){this.options=e||sn}space(e){return``}code({text:e,lang:t,escaped:n}){let r=(t||``).match(z.notSpaceStart)?.[0],i=e?e.replace(z.endingNewline,``)+`
`:``;return r?`<pre><code class="language-`+V(r)+`">`+(n?i:V(i,!0))+`</code></pre>
`:`<pre><code>`+(n?i:V(i,!0))+`</code></pre>
`}blockquote({tokens:e}){return`<blockquote>
${this.parser.parse(e)}</blockquote>
`}html({text:e}){return e}def(e){return``}heading({tokens:e,depth:t}){return`<h${t}>${this.parser.parseInline(e)}</h${t}>
`}hr(e){return`<hr>
`}list(e){let t=e.ordered,n=e.start,r=``;for(let t=0;t<e.items.length;t++){let n=e.items[t];r+=this.listitem(n)}let i=t?`ol`:`ul`,a=t&&n!==1?` start="`+n+`"`:``;return`<`+i+a+`>
`+r+`</`+i+`>
`}listitem(e){return`<li>${this.parser.parse(e.tokens)}</li>
`}checkbox({checked:e}){return`<input `+(e?`checked="" `:``)+`disabled="" type="checkbox"> `}paragraph({tokens:e}){return`<p>${this.parser.parseInline(e)}</p>
`}table(e){let t=``,n=``;for(let t=0;t<e.header.length;t++)n+=this.tablecell(e.header[t]);t+=this.tablerow({text:n});let r=``;for(let t=0;t<e.rows.length;t++){let i=e.rows[t];n=``;for(let e=0;e<i.length;e++)n+=this.tablecell(i[e]);r+=this.tablerow({text:n})}return r&&=`<tbody>${r}</tbody>`,`<table>
<thead>
`+t+`</thead>
`+r+`</table>
`}tablerow({text:e}){return`<tr>
${e}</tr>
`}tablecell(e){let t=this.parser.parseInline(e.tokens),n=e.header?`th`:`td`;return(e.align?`<${n} align="${e.align}">`:`<${n}>`)+t+`</${n}>
`}strong({tokens:e}){return`<strong>${this.parser.parseInline(e)}</strong>`}em({tokens:e}){return`<em>${this.parser.parseInline(e)}</em>`}codespan({text:e}){return`<code>${V(e,!0)}</code>`}br(e){return`<br>`}del({tokens:e}){return`<del>${this.parser.parseInline(e)}</del>`}link({href:e,title:t,text:n,tokens:r,autolink:i}){let a=i?V(n,!0):this.parser.parseInline(r),o=jr(e);if(o===null)return a;e=V(o,i);let s=`<a href="`+e+`"`;return t&&(s+=` title="`+V(t)+`"`),s+=`>`+a+`</a>`,s}image({href:e,title:t,text:n,tokens:r}){r&&(n=this.parser.parseInline(r,this.parser.textRenderer));let i=jr(e);if(i===null)return V(n);e=i;let a=`<img src="${V(e)}" alt="${V(n)}"`;return t&&(a+=` title="${V(t)}"`),a+=`>`,a}text(e){return`tokens`in e&&e.tokens?this.parser.parseInline(e.tokens):`escaped`in e&&e.escaped?e.text:V(e.text)}},Yr=class{parser;strong({text:e,tokens:t}){return t?this.parser.parseInline(t,this):e}em({text:e,tokens:t}){return t?this.parser.parseInline(t,this):e}codespan({text:e}){return e}del({text:e,tokens:t}){return t?this.parser.parseInline(t,this):e}html({text:e}){return e}text({text:e}){return e}link({text:e,tokens:t}){return t?this.parser.parseInline(t,this):e}image({text:e,tokens:t}){return t?this.parser.parseInline(t,this):e}br(){return`
`}checkbox({raw:e}){return e}},W=class e{options;renderer;textRenderer;constructor(e){this.options=e||sn,this.options.renderer=this.options.renderer||new Jr,this.renderer=this.options.renderer,this.renderer.options=this.options,this.renderer.parser=this,this.textRenderer=new Yr,this.textRenderer.parser=this}static parse(t,n){return new e(n).parse(t)}static parseInline(t,n){return new e(n).parseInline(t)}parse(e){this.renderer.parser=this;let t=``;for(let n=0;n<e.length;n++){let r=e[n];if(this.options.extensions?.renderers?.[r.type]){let e=r,n=this.options.extensions.renderers[e.type].call({parser:this},e);if(n!==!1||![`space`,`hr`,`heading`,`code`,`table`,`blockquote`,`list`,`checkbox`,`html`,`def`,`paragraph`,`text`].includes(e.type)){t+=n===!1?``:n??``;continue}}let i=r;switch(i.type){case`space`:t+=this.renderer.space(i);break;case`hr`:t+=this.renderer.hr(i);break;case`heading`:t+=this.renderer.heading(i);break;case`code`:t+=this.renderer.code(i);break;case`table`:t+=this.renderer.table(i);break;case`blockquote`:t+=this.renderer.blockquote(i);break;case`list`:t+=this.renderer.list(i);break;case`checkbox`:t+=this.renderer.checkbox(i);break;case`html`:t+=this.renderer.html(i);break;case`def`:t+=this.renderer.def(i);break;case`paragraph`:t+=this.renderer.paragraph(i);break;case`text`:t+=this.renderer.text(i);break;default:{let e=`Token with "`+i.type+`" type was not found.`;if(this.options.silent)return console.error(e),``;throw Error(e)}}}return t}parseInline(e,t=this.renderer){this.renderer.parser=this;let n=``;for(let r=0;r<e.length;r++){let i=e[r];if(this.options.extensions?.renderers?.[i.type]){let e=this.options.extensions.renderers[i.type].call({parser:this},i);if(e!==!1||![`escape`,`html`,`link`,`image`,`checkbox`,`strong`,`em`,`codespan`,`br`,`del`,`text`].includes(i.type)){n+=e===!1?``:e??``;continue}}let a=i;switch(a.type){case`escape`:n+=t.text(a);break;case`html`:n+=t.html(a);break;case`link`:n+=t.link(a);break;case`image`:n+=t.image(a);break;case`checkbox`:n+=t.checkbox(a);break;case`strong`:n+=t.strong(a);break;case`em`:n+=t.em(a);break;case`codespan`:n+=t.codespan(a);break;case`br`:n+=t.br(a);break;case`del`:n+=t.del(a);break;case`text`:n+=t.text(a);break;default:{let e=`Token with "`+a.type+`" type was not found.`;if(this.options.silent)return console.error(e),``;throw Error(e)}}}return n}},Xr=class{options;block;constructor(e){this.options=e||sn}static passThroughHooks=new Set([`preprocess`,`postprocess`,`processAllTokens`,`emStrongMask`]);static passThroughHooksRespectAsync=new Set([`preprocess`,`postprocess`,`processAllTokens`]);preprocess(e){return e}postprocess(e){return e}processAllTokens(e){return e}emStrongMask(e){return e}provideLexer(e=this.block){return e?U.lex:U.lexInline}provideParser(e=this.block){return e?W.parse:W.parseInline}};function G(e,t){if(Array.isArray(t))for(let n=0;n<t.length;n++)e.push(t[n]);else e.push(t)}var Zr=new class{defaults=on();options=this.setOptions;parse=this.parseMarkdown(!0);parseInline=this.parseMarkdown(!1);Parser=W;Renderer=Jr;TextRenderer=Yr;Lexer=U;Tokenizer=qr;Hooks=Xr;constructor(...e){this.use(...e)}walkTokens(e,t){let n=[];for(let r of e)switch(G(n,t.call(this,r)),r.type){case`table`:{let e=r;for(let r of e.header)G(n,this.walkTokens(r.tokens,t));for(let r of e.rows)for(let e of r)G(n,this.walkTokens(e.tokens,t));break}case`list`:{let e=r;G(n,this.walkTokens(e.items,t));break}default:{let e=r;this.defaults.extensions?.childTokens?.[e.type]?this.defaults.extensions.childTokens[e.type].forEach(r=>{let i=e[r].flat(1/0);G(n,this.walkTokens(i,t))}):e.tokens&&G(n,this.walkTokens(e.tokens,t))}}return n}use(...e){let t=this.defaults.extensions||{renderers:Object.create(null),childTokens:Object.create(null)};return e.forEach(e=>{let n={...e};if(n.async=this.defaults.async||n.async||!1,e.extensions&&(e.extensions.forEach(e=>{if(!e.name)throw Error(`extension name required`);if(`renderer`in e){let n=t.renderers[e.name];n?t.renderers[e.name]=function(...t){let r=e.renderer.apply(this,t);return r===!1&&(r=n.apply(this,t)),r}:t.renderers[e.name]=e.renderer}if(`tokenizer`in e){if(!e.level||e.level!==`block`&&e.level!==`inline`)throw Error(`extension level must be 'block' or 'inline'`);let n=t[e.level];n?n.unshift(e.tokenizer):t[e.level]=[e.tokenizer],e.start&&(e.level===`block`?t.startBlock?t.startBlock.push(e.start):t.startBlock=[e.start]:e.level===`inline`&&(t.startInline?t.startInline.push(e.start):t.startInline=[e.start]))}`childTokens`in e&&e.childTokens&&(t.childTokens[e.name]=e.childTokens)}),n.extensions=t),e.renderer){let t=this.defaults.renderer||new Jr(this.defaults);for(let n in e.renderer){if(!(n in t))throw Error(`renderer '${n}' does not exist`);if([`options`,`parser`].includes(n))continue;let r=n,i=e.renderer[r],a=t[r];t[r]=(...e)=>{let n=i.apply(t,e);return n===!1&&(n=a.apply(t,e)),n===!1?``:n??``}}n.renderer=t}if(e.tokenizer){let t=this.defaults.tokenizer||new qr(this.defaults);for(let n in e.tokenizer){if(!(n in t))throw Error(`tokenizer '${n}' does not exist`);if([`options`,`rules`,`lexer`].includes(n))continue;let r=n,i=e.tokenizer[r],a=t[r];t[r]=(...e)=>{let n=i.apply(t,e);return n===!1&&(n=a.apply(t,e)),n}}n.tokenizer=t}if(e.hooks){let t=this.defaults.hooks||new Xr;for(let n in e.hooks){if(!(n in t))throw Error(`hook '${n}' does not exist`);if([`options`,`block`].includes(n))continue;let r=n,i=e.hooks[r],a=t[r];t[r]=Xr.passThroughHooks.has(n)?e=>{if(t.options.async&&Xr.passThroughHooksRespectAsync.has(n))return(async()=>{let n=await i.call(t,e);return a.call(t,n)})();let r=i.call(t,e);return a.call(t,r)}:(...e)=>{if(t.options.async)return(async()=>{let n=await i.apply(t,e);return n===!1&&(n=await a.apply(t,e)),n})();let n=i.apply(t,e);return n===!1&&(n=a.apply(t,e)),n}}n.hooks=t}if(e.walkTokens){let t=this.defaults.walkTokens,r=e.walkTokens;n.walkTokens=function(e){let n=[];return G(n,r.call(this,e)),t&&G(n,t.call(this,e)),n}}this.defaults={...this.defaults,...n}}),this}setOptions(e){return this.defaults={...this.defaults,...e},this}lexer(e,t){return U.lex(e,t??this.defaults)}parser(e,t){return W.parse(e,t??this.defaults)}parseMarkdown(e){return(t,n)=>{let r={...n},i={...this.defaults,...r},a=this.onError(!!i.silent,!!i.async);if(this.defaults.async===!0&&r.async===!1)return a(Error(`marked(): The async option was set to true by an extension. Remove async: false from the parse options object to return a Promise.`));if(typeof t>`u`||t===null)return a(Error(`marked(): input parameter is undefined or null`));if(typeof t!=`string`)return a(Error(`marked(): input parameter is of type `+Object.prototype.toString.call(t)+`, string expected`));if(i.hooks&&(i.hooks.options=i,i.hooks.block=e),i.async)return(async()=>{let n=i.hooks?await i.hooks.preprocess(t):t,r=await(i.hooks?await i.hooks.provideLexer(e):e?U.lex:U.lexInline)(n,i),a=i.hooks?await i.hooks.processAllTokens(r):r;i.walkTokens&&await Promise.all(this.walkTokens(a,i.walkTokens));let o=await(i.hooks?await i.hooks.provideParser(e):e?W.parse:W.parseInline)(a,i);return i.hooks?await i.hooks.postprocess(o):o})().catch(a);try{i.hooks&&(t=i.hooks.preprocess(t));let n=(i.hooks?i.hooks.provideLexer(e):e?U.lex:U.lexInline)(t,i);i.hooks&&(n=i.hooks.processAllTokens(n)),i.walkTokens&&this.walkTokens(n,i.walkTokens);let r=(i.hooks?i.hooks.provideParser(e):e?W.parse:W.parseInline)(n,i);return i.hooks&&(r=i.hooks.postprocess(r)),r}catch(e){return a(e)}}}onError(e,t){return n=>{if(n.message+=`
Please report this to https://github.com/markedjs/marked.`,e){let e=`<p>An error occurred:</p><pre>`+V(n.message+``,!0)+`</pre>`;return t?Promise.resolve(e):e}if(t)return Promise.reject(n);throw n}}};function K(e,t){return Zr.parse(e,t)}K.options=K.setOptions=function(e){return Zr.setOptions(e),K.defaults=Zr.defaults,cn(K.defaults),K},K.getDefaults=on,K.defaults=sn,K.use=function(...e){return Zr.use(...e),K.defaults=Zr.defaults,cn(K.defaults),K},K.walkTokens=function(e,t){return Zr.walkTokens(e,t)},K.parseInline=Zr.parseInline,K.Parser=W,K.parser=W.parse,K.Renderer=Jr,K.TextRenderer=Yr,K.Lexer=U,K.lexer=U.lex,K.Tokenizer=qr,K.Hooks=Xr,K.parse=K,K.options,K.setOptions,K.walkTokens,K.parseInline,W.parse,U.lex;var Qr={amp:`&`,lt:`<`,gt:`>`,quot:`"`,apos:`'`,nbsp:` `},$r=24,ei=[3,4,5,6];function ti(e){try{let t=new U({gfm:!0,breaks:!0}).lex(e);if(ni(t)<=$r){let e=Object.keys(t.links).length;return _`${t.map(t=>an([t.type,t.raw,e],()=>ii(t)))}`}}catch{}return _`<p class="plain">${e}</p>`}function ni(e,t=0){if(t>$r)return t;let n=t;for(let r of e){let e=r.type===`list`?r.items.flatMap(e=>e.tokens):r.tokens;e&&(n=Math.max(n,ni(e,t+1)))}return n}var ri=e=>(e??[]).map(e=>ii(e)),q=e=>(e??[]).map(e=>ai(e));function ii(e){switch(e.type){case`heading`:return oi(e);case`paragraph`:return _`<p>${q(e.tokens)}</p>`;case`text`:return _`${e.tokens?q(e.tokens):ui(e.raw)}`;case`code`:{let{text:t,lang:n}=e;return _`<pre tabindex="0" aria-label=${n??y}><code>${t}</code></pre>`}case`blockquote`:return _`<blockquote>${ri(e.tokens)}</blockquote>`;case`list`:{let{ordered:t,start:n,items:r}=e,i=r.map(e=>_`<li>${ri(e.tokens)}</li>`);return t?_`<ol start=${n||1}>
            ${i}
          </ol>`:_`<ul>
            ${i}
          </ul>`}case`checkbox`:return e.checked?`☑ `:`☐ `;case`table`:return si(e);case`hr`:return _`<hr />`;case`space`:case`def`:return y;case`html`:return _`<p class="plain">${e.raw.trim()}</p>`;default:return ai(e)}}function ai(e){switch(e.type){case`strong`:return _`<strong>${q(e.tokens)}</strong>`;case`em`:return _`<em>${q(e.tokens)}</em>`;case`del`:return _`<del>${q(e.tokens)}</del>`;case`codespan`:return _`<code>${e.text}</code>`;case`br`:return _`<br />`;case`escape`:return e.text;case`text`:return e.tokens?_`${q(e.tokens)}`:ui(e.raw);case`link`:{let{href:t,tokens:n}=e;return ci(t,_`${q(n)}`)}case`image`:{let{href:t,text:n}=e;return ci(t,n||t)}case`checkbox`:return ii(e);default:return e.raw}}function oi({depth:e,tokens:t}){let n=q(t);switch(ei[e-1]??6){case 3:return _`<h3>${n}</h3>`;case 4:return _`<h4>${n}</h4>`;case 5:return _`<h5>${n}</h5>`;default:return _`<h6>${n}</h6>`}}function si({header:e,rows:t}){return _`<div class="scroll" tabindex="0">
    <table>
      <thead>
        <tr>
          ${e.map(e=>_`<th scope="col">${q(e.tokens)}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${t.map(e=>_`<tr>
              ${e.map(e=>_`<td>${q(e.tokens)}</td>`)}
            </tr>`)}
      </tbody>
    </table>
  </div>`}function ci(e,t){let n=li(e);return n===null?_`${t}`:_`<a href=${n} target="_blank" rel="noopener noreferrer nofollow">${t}</a>`}function li(e){try{let{protocol:t,href:n}=new URL(ui(e).trim());return t===`https:`||t===`http:`?n:null}catch{return null}}function ui(e){return e.replace(/&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|([a-z]{2,4}));/g,(e,t,n,r)=>{if(typeof r==`string`)return Qr[r]??e;let i=typeof t==`string`?Number(t):parseInt(String(n),16);return i>31&&i<=1114111&&!(i>=55296&&i<=57343)?String.fromCodePoint(i):e})}var di=o`
  .markdown > :first-child {
    margin-top: 0;
  }
  .markdown > :last-child {
    margin-bottom: 0;
  }
  .markdown p,
  .markdown .scroll,
  .markdown ul,
  .markdown ol,
  .markdown blockquote {
    margin: 0 0 10px;
  }
  .markdown .plain {
    white-space: pre-wrap;
  }
  .markdown ul,
  .markdown ol {
    padding-inline-start: 24px;
  }
  .markdown li + li {
    margin-top: 4px;
  }
  .markdown li > p {
    margin-bottom: 4px;
  }
  .markdown h3,
  .markdown h4,
  .markdown h5,
  .markdown h6 {
    margin: 14px 0 6px;
    font-size: 1rem;
    font-weight: 600;
  }
  .markdown h3 {
    font-size: 1.15rem;
  }
  .markdown blockquote {
    border-inline-start: 3px solid var(--zai-line);
    padding-inline-start: 12px;
    color: var(--zai-quiet);
  }
  .markdown code {
    font-family: ui-monospace, monospace;
    font-size: 0.9em;
    background: var(--secondary-background-color, #f1f1f1);
    border-radius: 4px;
    padding: 1px 4px;
  }
  .markdown pre code {
    background: none;
    padding: 0;
  }
  .markdown table {
    width: auto;
  }
`,fi=class extends b{constructor(...e){super(...e),this.language=`en`,this.running=!1}static{this.styles=[D,di,o`
      :host {
        display: block;
        overflow-wrap: anywhere;
      }
      .user {
        margin-inline-start: auto;
        width: fit-content;
        max-width: 85%;
        padding: 10px 14px;
        border-radius: 16px 16px 4px 16px;
        background: color-mix(in srgb, var(--zai-accent) 16%, var(--zai-surface));
        white-space: pre-wrap;
      }
      .images {
        display: flex;
        flex-wrap: wrap;
        gap: 8px;
        justify-content: flex-end;
        margin-bottom: 8px;
      }
      img {
        max-width: min(320px, 100%);
        max-height: 240px;
        width: auto;
        height: auto;
        border-radius: 12px;
        display: block;
      }
      .notice {
        display: flex;
        align-items: center;
        gap: 12px;
        font-size: 0.9rem;
        text-align: center;
      }
      .notice::before,
      .notice::after {
        content: "";
        flex: 1;
        border-top: 1px solid var(--zai-line);
      }
      details {
        margin: 0 0 8px;
      }
      summary {
        cursor: pointer;
        color: var(--zai-quiet);
        font-size: 0.9rem;
        width: fit-content;
      }
      .thinking {
        white-space: pre-wrap;
        color: var(--zai-quiet);
        border-inline-start: 3px solid var(--zai-line);
        padding-inline-start: 12px;
        margin: 8px 0;
        font-size: 0.95rem;
      }
      .facts {
        font-size: 0.85rem;
        margin-top: 8px;
      }
      .facts ul {
        margin: 4px 0;
        padding-inline-start: 20px;
      }
      .error {
        margin: 8px 0 0;
      }
      pre {
        white-space: pre-wrap;
      }
    `]}render(){let{message:e,texts:t}=this;switch(e.role){case`user`:return _`<article aria-label=${t(`chat.you`)}>
          ${this.images()}${e.content?_`<div class="user" dir="auto">${e.content}</div>`:y}
        </article>`;case`notice`:{let{origin:n,target:r}=e.details;return _`<p class="notice quiet">
          ${n!==void 0&&r!==void 0?t(`chat.switched`,{from:n,to:r}):e.content}
        </p>`}case`assistant`:return e.details.replaced?_`<details>
              <summary>${t(`chat.former`,{provider:e.details.backend??``})}</summary>
              ${this.answer(e)}
            </details>`:this.answer(e)}}images(){let{images:e}=this.message;return e.length===0?y:_`<div class="images">
      ${e.map(e=>_`<img
            src=${e.url}
            width=${e.width}
            height=${e.height}
            alt=${this.texts(`chat.image`,{width:e.width,height:e.height})}
            loading="lazy"
            @error=${()=>this.dispatchEvent(new CustomEvent(`stale`,{bubbles:!0,composed:!0}))}
          />`)}
    </div>`}answer(e){let{texts:t,running:n}=this,{details:r,content:i}=e,a=n&&!i&&!r.tools?.length;return _`<article
      aria-label=${t(`chat.answer_of`,{provider:r.backend??`…`})}
      aria-busy=${n}
    >
      ${r.thinking?this.thinking(r.thinking):y}
      ${r.tools?.map(e=>this.tool(e))??y}
      ${i?_`<div class="markdown" dir="auto">${ti(i)}</div>`:y}
      ${a?_`<p class="quiet">
              ${r.backend?t(`chat.writing`,{provider:r.backend}):t(`chat.asking`)}
            </p>`:y}
      ${r.error?_`<p class="error">${r.error}</p>`:y}
      ${r.outcome===`stopped`&&!r.error?_`<p class="quiet">${t(`chat.stopped`)}</p>`:y}
      ${n?y:this.facts(r)}
    </article>`}thinking(e){let t=this.running&&!this.message.content;return _`<details>
      <summary>${this.texts(t?`chat.thinks`:`chat.thinking`)}</summary>
      <div class="thinking" dir="auto">${e}</div>
    </details>`}tool(e){let{texts:t}=this;return _`<details>
        <summary>${t(e.result===null?`chat.tool_runs`:e.error?`chat.tool_failed`:`chat.tool_done`,{name:e.name.split(`__`).at(-1)??``})}</summary>
        <pre tabindex="0">${e.arguments}</pre>
        ${e.result===null?y:_`<pre tabindex="0">${e.result}</pre>`}
      </details>
      ${e.entities.length>0?_`<zai-chat-entities .api=${this.api} .ids=${e.entities}></zai-chat-entities>`:y}`}facts(e){let{texts:t,language:n}=this,r=[e.backend??``,e.model===e.backend?``:e.model??``,e.tokens_completion===void 0?``:t(`chat.tokens`,{prompt:A(e.tokens_prompt??0,n),answer:A(e.tokens_completion,n)})+(e.estimated?` (${t(`chat.estimated`)})`:``),e.tokens_per_second?t(`chat.speed`,{speed:A(e.tokens_per_second,n)}):``,e.first_token_ms==null?``:t(`chat.first_token`,{time:j(e.first_token_ms,n)}),e.cost?Rt(e.cost,n)||t(`costs.free`):e.cost===null?t(`costs.unknown`):``].filter(Boolean),i=e.attempts??[];return r.length===0&&i.length===0?y:_`<div class="facts quiet">
      <span>${r.join(` · `)}</span>
      ${i.length>0?_`<div>${t(`requests.failed_attempts`)}:</div>
              <ul>
                ${i.map(e=>_`<li>
                      ${t(`requests.failed_attempt`,{provider:e.backend,model:e.model,reason:e.reason})}
                    </li>`)}
              </ul>`:y}
      ${e.generation_ids?.length?_`<details>
              <summary>${t(`requests.id`)}</summary>
              ${e.generation_ids.map(e=>_`<div><a href=${this.link(e)}>${e}</a></div>`)}
            </details>`:y}
    </div>`}};N([S({attribute:!1})],fi.prototype,`api`,void 0),N([S({attribute:!1})],fi.prototype,`texts`,void 0),N([S({attribute:!1})],fi.prototype,`message`,void 0),N([S()],fi.prototype,`language`,void 0),N([S({attribute:!1})],fi.prototype,`link`,void 0),N([S({type:Boolean})],fi.prototype,`running`,void 0),fi=N([x(`zai-chat-message`)],fi);var pi=class extends b{constructor(...e){super(...e),this.home=null}static{this.styles=[D,o`
      label {
        min-width: 0;
        flex: 1 1 120px;
      }
      select {
        width: 100%;
        text-overflow: ellipsis;
      }
      label.check {
        flex: 0 1 auto;
        flex-direction: row;
        align-items: center;
        gap: 8px;
        align-self: end;
        min-height: 40px;
      }
      input {
        min-height: 0;
        width: 20px;
        height: 20px;
        margin: 0;
      }
    `]}render(){let{texts:e,choice:t}=this,n=this.home?.providers??[],r=n.find(e=>e.id===t.backend_id),i=r?r.models:mi(n),a=t.backend_id!==null&&!r;return _`<div class="row">
      <label
        >${e(`chat.provider`)}
        <select @change=${e=>this.chooseProvider(e)}>
          <option value="" ?selected=${t.backend_id===null}>${e(`chat.auto_provider`)}</option>
          ${a?_`<option value=${t.backend_id??``} selected disabled>${e(`chat.gone`)}</option>`:y}
          ${n.map(e=>_`<option value=${e.id} ?selected=${e.id===t.backend_id} ?disabled=${!e.available}>
                ${this.described(e)}
              </option>`)}
        </select>
      </label>
      <label
        >${e(`requests.model`)}
        <select @change=${e=>this.chooseModel(e)}>
          <option value="auto" ?selected=${t.model===`auto`}>${e(`chat.auto_model`)}</option>
          ${t.model!==`auto`&&!i.some(e=>e.id===t.model)?_`<option value=${t.model} selected>${t.model}</option>`:y}
          ${i.map(n=>_`<option value=${n.id} ?selected=${n.id===t.model}>
                ${n.id}${n.warm===null?``:` (${e(n.warm?`providers.warm`:`chat.cold`)})`}
              </option>`)}
        </select>
      </label>
      ${this.home?.tools?_`<label class="check">
              <input
                type="checkbox"
                .checked=${t.tools}
                @change=${e=>this.choose({tools:e.target.checked})}
              />
              ${e(`chat.tools`)}
            </label>`:y}
    </div>`}described({name:e,state:t,known:n,available:r,running:i,limit:a}){let o=this.texts(`states.${n?t:`unknown`}`),s=a===null?i>0?`${i}`:``:`${i} / ${a}`;return`${e} (${[o,r&&s?this.texts(`chat.used`,{used:s}):``].filter(Boolean).join(`, `)})`}chooseProvider(e){let t=e.target.value||null,n=(this.home?.providers.find(e=>e.id===t))?.models.some(e=>e.id===this.choice.model)??t===null;this.choose({backend_id:t,model:n?this.choice.model:`auto`})}chooseModel(e){this.choose({model:e.target.value})}choose(e){this.dispatchEvent(new CustomEvent(`choice`,{detail:{...this.choice,...e}}))}};N([S({attribute:!1})],pi.prototype,`texts`,void 0),N([S({attribute:!1})],pi.prototype,`home`,void 0),N([S({attribute:!1})],pi.prototype,`choice`,void 0),pi=N([x(`zai-chat-picker`)],pi);function mi(e){let t=new Map;for(let n of e.filter(e=>e.available&&e.kind===`backend`).flatMap(e=>e.models)){let e=t.get(n.id);(!e||n.warm&&!e.warm)&&t.set(n.id,n)}return[...t.values()].sort((e,t)=>e.id.localeCompare(t.id))}var hi=o`
  .chat {
    display: grid;
    grid-template-columns: 260px minmax(0, 1fr);
    gap: 24px;
  }
  aside {
    max-height: max(420px, calc(100dvh - 170px));
    overflow-y: auto;
  }
  section {
    display: flex;
    flex-direction: column;
    gap: 12px;
    min-width: 0;
    height: max(420px, calc(100dvh - 170px));
  }
  .top {
    display: flex;
    justify-content: flex-end;
    gap: 8px;
  }
  .toggle {
    display: none;
  }
  .messages {
    flex: 1;
    min-height: 120px;
    overflow-y: auto;
    display: flex;
    flex-direction: column;
    gap: 16px;
    padding: 4px;
  }
  .messages > :first-child {
    margin-top: auto;
  }
  .empty {
    margin: auto;
    text-align: center;
    max-width: 560px;
  }
  .ideas {
    display: grid;
    grid-template-columns: 1fr 1fr;
    gap: 12px;
  }
  .ideas button {
    text-align: start;
    padding: 12px 16px;
  }
  @media (max-width: 800px) {
    .chat {
      display: block;
    }
    aside {
      display: none;
      margin-bottom: 16px;
      max-height: 50vh;
    }
    aside.shown {
      display: block;
    }
    .toggle {
      display: block;
    }
    .top {
      justify-content: space-between;
    }
    .ideas {
      grid-template-columns: 1fr;
    }
    section {
      height: max(420px, calc(100dvh - 150px));
    }
  }
`,gi={backend_id:null,model:`auto`,tools:!0},_i={home:[`idea_state`,`idea_open`],any:[`idea_explain`,`idea_write`],both:[`idea_plan`,`idea_help`]},vi=80,yi=6e4,bi=null,J=class extends P{constructor(...e){super(...e),this.home=null,this.conversation=null,this.choice=gi,this.listed=!1,this.retrying=!1,this.retryChoice=gi,this.said=``,this.connected=!0,this.shown=bi,this.chosen=!1,this.sticks=!0,this.subscription=0,this.renewed=0,this.seen=()=>{document.visibilityState===`hidden`?this.leave():this.follow()},this.record=e=>this.api.link(`requests/${encodeURIComponent(e)}`)}static{this.styles=[P.styles,hi]}connectedCallback(){super.connectedCallback(),document.addEventListener(`visibilitychange`,this.seen),this.hasUpdated&&this.follow()}disconnectedCallback(){super.disconnectedCallback(),document.removeEventListener(`visibilitychange`,this.seen),this.leave()}firstUpdated(){this.follow()}get chat(){return this.api.chat}follow(){this.leave();let{subscription:e}=this;this.end=this.chat.follow(this.shown,t=>{e===this.subscription&&this.happened(t)},e=>this.connected=e)}renew(){let e=Date.now();e-this.renewed<yi||(this.renewed=e,this.follow())}leave(){this.subscription+=1,this.end?.(),this.end=void 0}happened(e){e.type===`home`?(this.home=e,this.chosen||(this.choice=e.choice),this.chosen=!0):e.type===`deleted`?this.show(null):(e.type===`message`&&e.message.role===`assistant`&&e.message.details.outcome&&this.announce(e.message),this.conversation=Qt(this.conversation,e))}announce({content:e,details:t}){t.replaced||(this.said=`${this.texts(`chat.answer_of`,{provider:t.backend??``})}: ${t.error??e}`)}show(e){bi=this.shown=e,this.conversation=null,this.retrying=!1,this.listed=!1,this.sticks=!0,this.said=``,this.follow(),this.updateComplete.then(()=>this.composer.focus())}willUpdate(){let e=this.messages;e&&(this.sticks=e.scrollHeight-e.scrollTop-e.clientHeight<vi)}updated(e){super.updated(e);let t=this.messages;t&&this.sticks&&(t.scrollTop=t.scrollHeight,requestAnimationFrame(()=>t.scrollTop=t.scrollHeight))}render(){let{texts:e,home:t,conversation:n}=this,r=n?.running!=null;return _`<div class="chat">
      <aside id="conversations" class=${this.listed?`shown`:``} aria-label=${e(`chat.conversations`)}>
        <zai-chat-list
          .api=${this.chat}
          .texts=${e}
          .language=${this.language}
          .current=${this.shown??``}
          .running=${t?.running??[]}
          .revision=${t?.revision??0}
          @open=${e=>this.show(e.detail)}
          @removed=${e=>{e.detail===this.shown&&this.show(null)}}
        ></zai-chat-list>
      </aside>
      <section aria-label=${e(`tabs.chat`)}>
        <div class="top">
          <button
            class="toggle"
            aria-expanded=${this.listed?`true`:`false`}
            aria-controls="conversations"
            @click=${()=>this.listed=!this.listed}
          >
            ${e(`chat.conversations`)}
          </button>
          ${T(e(`chat.new`),{kind:`main`,press:()=>this.show(null)})}
        </div>
        <div
          class="messages"
          tabindex="0"
          role="log"
          aria-live="off"
          aria-label=${e(`chat.conversation`)}
          @stale=${()=>this.renew()}
        >
          ${this.shown===null?this.empty():this.history(n)}
        </div>
        <p class="visually-hidden" role="status" aria-live="polite">${this.said}</p>
        ${this.errorLine()}
        ${this.connected?y:_`<p role="status" class="quiet">${e(`common.reconnecting`)}</p>`}
        <zai-chat-picker
          .texts=${e}
          .home=${t}
          .choice=${this.choice}
          @choice=${e=>this.choice=e.detail}
        ></zai-chat-picker>
        <zai-chat-composer
          .texts=${e}
          .running=${r}
          .busy=${this.busy}
          .takesImages=${t?.images??!1}
          @draft=${e=>void this.send(e.detail)}
          @stop=${()=>void this.run(()=>this.chat.stop(this.shown??``))}
        ></zai-chat-composer>
      </section>
    </div>`}empty(){let{texts:e,home:t}=this;if(t!==null&&!t.providers.some(e=>e.available))return _`<p class="quiet">${e(`chat.nobody`)}</p>`;let n=[...t?.tools&&this.choice.tools?_i.home:_i.any,..._i.both];return _`<div class="empty">
      <h2>${e(`chat.hello`)}</h2>
      <div class="ideas">
        ${n.map(t=>{let n=e(`chat.${t}`);return T(n,{disabled:this.busy,press:()=>this.send({text:n,images:[]})})})}
      </div>
    </div>`}history(e){let{texts:t}=this;if(e===null)return _`<p class="quiet">${t(`common.loading`)}</p>`;let{messages:n,running:r}=e;return _`${O(n,e=>e.id,e=>_`<zai-chat-message
          .api=${this.chat}
          .texts=${t}
          .language=${this.language}
          .link=${this.record}
          .message=${e}
          .running=${e.id===r}
        ></zai-chat-message>`)}
    ${r===null&&n.length>0?this.again():y}`}again(){let{texts:e}=this;return this.retrying?_`<div class="card">
      <zai-chat-picker
        .texts=${e}
        .home=${this.home}
        .choice=${this.retryChoice}
        @choice=${e=>this.retryChoice=e.detail}
      ></zai-chat-picker>
      <div class="row above">
        ${T(e(`chat.retry_now`),{kind:`main`,disabled:this.busy,press:()=>this.retry()})}
        ${T(e(`common.cancel`),{press:()=>this.retrying=!1})}
      </div>
    </div>`:_`<div>
        ${T(e(`chat.retry`),{disabled:this.busy,press:()=>{this.retryChoice=this.choice,this.retrying=!0}})}
      </div>`}async send({text:e,images:t}){await this.run(async()=>{let n=this.shown===null,r=this.shown??await this.chat.create();try{let n=t.length>0?`up_${crypto.getRandomValues(new Uint32Array(4)).join(`_`)}`:null;if(n!==null)for(let e of t)await this.chat.upload(r,n,e);await this.chat.send(r,e,this.choice,n)}catch(e){throw n&&await this.chat.remove(r).catch(()=>void 0),e}this.composer.clear(),this.retrying=!1,this.sticks=!0,n&&this.show(r)})}retry(){return this.run(async()=>{await this.chat.retry(this.shown??``,this.retryChoice),this.choice=this.retryChoice,this.retrying=!1})}};N([C()],J.prototype,`home`,void 0),N([C()],J.prototype,`conversation`,void 0),N([C()],J.prototype,`choice`,void 0),N([C()],J.prototype,`listed`,void 0),N([C()],J.prototype,`retrying`,void 0),N([C()],J.prototype,`retryChoice`,void 0),N([C()],J.prototype,`said`,void 0),N([C()],J.prototype,`connected`,void 0),N([Ye(`.messages`)],J.prototype,`messages`,void 0),N([Ye(`zai-chat-composer`)],J.prototype,`composer`,void 0),J=N([x(`zai-chat`)],J);var xi=[`requests_per_minute`,`tokens_per_minute`,`parallel`],Si=class extends P{constructor(...e){super(...e),this.key=null,this.users=[],this.disabled=!1,this.cancel=null}render(){let{texts:e,key:t}=this;return _`<form @submit=${e=>this.submit(e)}>
      <div class="row">
        <label
          >${e(`keys.name`)}
          <input name="name" required maxlength="100" autocomplete="off" .value=${t?.name??``} />
        </label>
        <label
          >${e(`keys.labels`)}
          <input
            name="labels"
            maxlength="520"
            autocomplete="off"
            placeholder=${e(`keys.labels_hint`)}
            .value=${t?.labels.join(`, `)??``}
          />
        </label>
        ${T(e(t?`keys.save`:`keys.create`),{kind:`main`,disabled:this.disabled})}
        ${this.cancel?T(e(`common.cancel`),{press:this.cancel}):y}
        ${t?y:_`<span class="quiet">${e(`keys.name_hint`)}</span>`}
      </div>
      ${this.api.isAdmin?this.limits():y}
    </form>`}limits(){let{texts:e,key:t,users:n}=this,r=Ci(t);return _`<details class="above" ?open=${t!==null}>
      <summary>${e(n.length?`keys.owner_and_limits`:`keys.limits`)}</summary>
      <div class="row above">
        ${n.length===0?y:_`<label
                >${e(`keys.owner`)}
                <select name="user_id">
                  <option value="">${e(`keys.nobody`)}</option>
                  ${n.map(({id:e,name:n})=>_`<option value=${e} ?selected=${e===t?.user_id}>${n}</option>`)}
                </select>
              </label>`}
        <label
          >${e(`keys.models`)}
          <input
            name="models"
            autocomplete="off"
            placeholder=${e(`keys.models_hint`)}
            .value=${t?.models.join(`, `)??``}
          />
        </label>
        ${xi.map(n=>_`<label
              >${e(`keys.${n}`)}
              <input name=${n} type="number" min="1" max="1000000000" step="1" .value=${t?.[n]??``} />
            </label>`)}
        <label
          >${e(`keys.monthly_budget`)}
          <input name="monthly_budget" type="number" min="0" max="1000000000" step="any" .value=${r??``} />
        </label>
        <label
          >${e(`keys.expires`)}
          <input name="expires" type="date" min=${Bt(new Date)} .value=${wi(t)} />
        </label>
        <label class="switch"
          ><input name="background" type="checkbox" .checked=${t?.background??!1} />
          ${e(`keys.background`)}</label
        >
      </div>
    </details>`}async submit(e){e.preventDefault();let t=e.target,n=this.changes(new FormData(t));n.name&&await this.save(n)&&this.key===null&&t.reset()}changes(e){let{key:t}=this,n={name:F(e,`name`)},r=Ti(e,`labels`);if(Di(r,t?.labels)||(n.labels=r),!this.api.isAdmin)return n;let i=Ti(e,`models`);if(Di(i,t?.models)||(n.models=i),this.users.length){let r=F(e,`user_id`)||null;r!==(t?.user_id??null)&&(n.user_id=r)}for(let r of xi){let i=Ei(e,r);i!==(t?.[r]??null)&&(n[r]=i)}let a=Ei(e,`monthly_budget`);a!==Ci(t)&&(n.monthly_budget=a);let o=F(e,`expires`);o!==wi(t)&&(n.expires=o?new Date(`${o}T23:59:59`).getTime()/1e3:null);let s=e.has(`background`);return s!==(t?.background??!1)&&(n.background=s),n}};N([S({attribute:!1})],Si.prototype,`key`,void 0),N([S({attribute:!1})],Si.prototype,`users`,void 0),N([S({type:Boolean})],Si.prototype,`disabled`,void 0),N([S({attribute:!1})],Si.prototype,`save`,void 0),N([S({attribute:!1})],Si.prototype,`cancel`,void 0),Si=N([x(`zai-key-form`)],Si);var Ci=e=>e?.budgets.find(e=>e.period===`month`)?.amount??null,wi=e=>e?.expires?Bt(new Date(e.expires)):``,Ti=(e,t)=>F(e,t).split(`,`).map(e=>e.trim()).filter(Boolean),Ei=(e,t)=>{let n=F(e,t);return n===``?null:Number(n)},Di=(e,t=[])=>e.length===t.length&&[...e].sort().join()===[...t].sort().join();async function Oi(e,t){let n=navigator.clipboard;if(n)return n.writeText(e);let r=document.createElement(`textarea`);r.value=e,r.setAttribute(`aria-hidden`,`true`),t.append(r),r.select();let i=document.execCommand(`copy`);if(r.remove(),!i)throw Error(`This browser does not copy from a page without TLS. Select the text and copy it.`)}var ki=[`curl`,`python`,`javascript`,`opencode`,`open_webui`,`claude_code`,`continue`],Ai=class extends P{constructor(...e){super(...e),this.baseUrl=``,this.copied=``,this.program=`curl`}static{this.styles=[P.styles,o`
      pre {
        user-select: all;
      }
    `]}render(){let{texts:e,created:t}=this;return _`<div role="status">${E(_`<p>${e(`keys.once`)}</p>
      ${this.copyable(e(`keys.secret`),t.key)} ${this.copyable(e(`keys.base_url`),this.baseUrl)}
      <label class="above">
        ${e(`keys.program`)}
        <select @change=${e=>this.program=e.target.value}>
          ${ki.map(t=>_`<option value=${t} ?selected=${t===this.program}>
                ${e(`keys.program_${t}`)}
              </option>`)}
        </select>
      </label>
      <p class="quiet">${e(`keys.how_${this.program}`)}</p>
      ${this.copyable(e(`keys.program_${this.program}`),t[this.program])} ${this.errorLine()}
      ${T(e(`common.done`),{kind:`main`,press:this.done})}`,e(`keys.created`,{name:t.name}))}</div>`}copyable(e,t){if(!t)return y;let{texts:n}=this;return _`<div class="row spread">
        <b>${e}</b>
        ${T(n(this.copied===e?`common.copied`:`common.copy`),{name:n(`keys.copy`,{what:e}),press:()=>this.copy(e,t)})}
      </div>
      <pre tabindex="0">${t}</pre>`}copy(e,t){return this.run(async()=>{await Oi(t,this.renderRoot),this.copied=e})}};N([S({attribute:!1})],Ai.prototype,`created`,void 0),N([S()],Ai.prototype,`baseUrl`,void 0),N([S({attribute:!1})],Ai.prototype,`done`,void 0),N([C()],Ai.prototype,`copied`,void 0),N([C()],Ai.prototype,`program`,void 0),Ai=N([x(`zai-new-key`)],Ai);function ji(e,t,n){let r=e.exhausted.map(e=>t(e.scope===`household`?`keys.household_spent`:`keys.budget_spent`,{until:M(e.renews,n)})),i=e.refusal===null?[]:[t(`keys.refused_${e.refusal}`,{limit:e.limit})];if(i.length+r.length===0)return y;let a=e.administrators.length?t(`keys.ask`,{names:new Intl.ListFormat(n,{type:`disjunction`}).format(e.administrators)}):t(`keys.ask_somebody`);return E(_`${[...r,...i].map(e=>_`<p>${e}</p>`)}
      <p>${a}</p>`,t(e.refusal===`blocked`?`keys.blocked`:r.length?`keys.stopped`:`keys.no_more`))}function Mi(e,t,n){if(!e.limit||e.refusal===`blocked`)return y;let r=e=>e===null?``:A(e,n);return E(_`<dl>
      ${[[`keys.number`,t(`keys.used_of`,{used:e.used,limit:e.limit})],[`keys.models`,e.models.join(`, `)],[`keys.requests_per_minute`,r(e.requests_per_minute)],[`keys.tokens_per_minute`,r(e.tokens_per_minute)],[`keys.parallel`,r(e.parallel)],[`keys.valid_days`,r(e.valid_days)],...e.budgets.map(e=>[`keys.budget_${e.period}`,t(`keys.spent_of`,{spent:Ni(e.spent,n),amount:Ni(e.amount,n)})])].filter(([,e])=>e!==``).map(([e,n])=>_`<dt class="quiet">${t(e)}</dt>
              <dd>${n}</dd>`)}
    </dl>`,t(`keys.allowed`))}var Ni=(e,t)=>new Intl.NumberFormat(t,{minimumFractionDigits:2,maximumFractionDigits:2}).format(e),Pi=25,Y=class extends P{constructor(...e){super(...e),this.list=null,this.created=null,this.asked=null,this.edited=null,this.search=``,this.label=``,this.shown=Pi}static{this.styles=[P.styles,o`
      .label {
        border: 1px solid var(--zai-line);
        border-radius: 12px;
        padding: 0 8px;
        font-size: 0.85rem;
      }
      @media (max-width: 600px) {
        .wide {
          display: none;
        }
      }
    `]}connectedCallback(){super.connectedCallback(),this.run(()=>this.load())}async load(){this.list=await this.api.keys()}render(){let{texts:e,language:t,list:n}=this;if(n===null)return _`${this.errorLine()===y?bt(e(`common.loading`)):this.errorLine()}`;let{own:r}=n;return _`${r?ji(r,e,t):y}
    ${r===null||r.refusal===null?E(this.form(null)):y} ${this.errorLine()}
    ${this.created?_`<zai-new-key
            .api=${this.api}
            .texts=${e}
            .created=${this.created}
            .baseUrl=${n.base_url}
            .done=${()=>this.created=null}
          ></zai-new-key>`:y}
    ${r?Mi(r,e,t):y}
    ${n.keys.length===0?E(_`<span class="quiet">${e(r?`keys.none_of_yours`:`keys.empty`)}</span>`):this.found(n.keys)}`}form(e){return _`<zai-key-form
      .api=${this.api}
      .texts=${this.texts}
      .language=${this.language}
      .key=${e}
      .users=${this.list?.users??[]}
      .disabled=${this.busy}
      .save=${t=>e?this.save(e,t):this.create(t)}
      .cancel=${e?()=>this.edited=null:null}
    ></zai-key-form>`}found(e){let{texts:t}=this,n=[...new Set(e.flatMap(e=>e.labels))].sort((e,t)=>e.localeCompare(t)),r=this.search.toLocaleLowerCase(),i=e.filter(e=>(!this.label||e.labels.includes(this.label))&&[e.name,e.prefix,e.user_name??``,...e.labels].some(e=>e.toLocaleLowerCase().includes(r))),a=_`<div class="row below">
      <label
        >${t(`keys.search`)}
        <input
          type="search"
          @input=${e=>{this.search=e.target.value.trim(),this.shown=Pi}}
        />
      </label>
      ${n.length===0?y:_`<label
              >${t(`keys.label`)}
              <select
                @change=${e=>{this.label=e.target.value,this.shown=Pi}}
              >
                <option value="">${t(`keys.any`)}</option>
                ${n.map(e=>_`<option value=${e} ?selected=${e===this.label}>${e}</option>`)}
              </select>
            </label>`}
      <span class="quiet" role="status">${t(`keys.found`,{shown:i.length,all:e.length})}</span>
    </div>`,o=i.length>this.shown;return E(_`${e.length>5||n.length?a:y}
        <div class="scroll" tabindex="0">${this.table(i.slice(0,this.shown))}</div>
        ${o?_`<p>${T(t(`keys.more`),{press:()=>this.shown+=Pi})}</p>`:y}`)}table(e){let{texts:t}=this;return _`<table>
      <thead>
        <tr>
          <th scope="col">${t(`keys.name`)}</th>
          <th scope="col" class="wide">${t(`keys.secret`)}</th>
          <th scope="col" class="wide">${t(`keys.last_used`)}</th>
          <th scope="col" class="number wide">${t(`keys.today`)}</th>
          <th scope="col" class="number">${t(`keys.month`)}</th>
          <th scope="col"><span class="visually-hidden">${t(`keys.actions`)}</span></th>
        </tr>
      </thead>
      <tbody>
        ${O(e,e=>e.key_id,e=>this.row(e))}
      </tbody>
    </table>`}row(e){let{texts:t,language:n}=this,r=(e,r,i)=>_`${t(`keys.requests`,{count:A(e,n)})}
        <div class="quiet">${t(`keys.tokens`,{count:A(r,n)})}</div>
        <div>${Rt(i,n)}</div>`;return _`<tr>
        <td>
          ${e.name} ${e.user_name?_`<div class="quiet">${e.user_name}</div>`:y}
          <div class="row">${e.labels.map(e=>_`<span class="label">${e}</span>`)}</div>
          ${this.states(e).map(e=>_`<div class="error">${e}</div>`)}
          ${this.limits(e).map(e=>_`<div class="quiet">${e}</div>`)}
        </td>
        <td class="wide"><code>${e.prefix}…</code></td>
        <td class="wide">${e.last_used?M(e.last_used,n):t(`keys.never`)}</td>
        <td class="number wide">${r(e.requests_today,e.tokens_today,e.cost_today)}</td>
        <td class="number">${r(e.requests_month,e.tokens_month,e.cost_month)}</td>
        <td><div class="row">${this.actions(e)}</div></td>
      </tr>
      ${this.edited===e.key_id?_`<tr>
              <td colspan="6">${this.form(e)}</td>
            </tr>`:y}`}states(e){let{texts:t}=this,n=[];if(!e.enabled){let r=this.list?.own;n.push(t(r&&!e.disabled_by_owner?`keys.disabled_by_administrator`:`keys.disabled`))}return e.expires&&new Date(e.expires).getTime()<=Date.now()&&n.push(t(`keys.expired`)),n}limits(e){let{texts:t,language:n}=this,r=Ci(e),i=[`requests_per_minute`,`tokens_per_minute`,`parallel`].flatMap(r=>{let i=e[r];return i===null?[]:[t(`keys.limit`,{what:t(`keys.${r}`),value:A(i,n)})]});return r!==null&&i.push(t(`keys.limit`,{what:t(`keys.monthly_budget`),value:r.toLocaleString(n)})),e.models.length&&i.push(t(`keys.limit`,{what:t(`keys.models`),value:e.models.join(`, `)})),e.expires&&i.push(t(`keys.limit`,{what:t(`keys.expires`),value:M(e.expires,n)})),i}actions(e){let{texts:t,busy:n}=this,r=(e,r,i=`usual`)=>T(t(e),{kind:i,disabled:n,press:r});if(this.asked===e.key_id)return _`<span>${t(`keys.sure`,{name:e.name})}</span>
        ${r(`keys.revoke`,()=>this.revoke(e),`danger`)} ${r(`common.cancel`,()=>this.asked=null)}`;let i=this.list?.own&&!e.enabled&&!e.disabled_by_owner;return _`${r(`keys.edit`,()=>this.edited=this.edited===e.key_id?null:e.key_id)}
    ${r(`keys.rotate`,()=>this.rotate(e))}
    ${i?y:r(e.enabled?`keys.disable`:`keys.enable`,()=>this.enable(e))}
    ${r(`keys.revoke`,()=>this.asked=e.key_id,`danger`)}`}async change(e){let t=!1;return await this.run(async()=>{await e(),t=!0,await this.load()}),t}create(e){return this.change(async()=>{this.created=await this.api.createKey(e)})}async save(e,t){let n=await this.change(()=>this.api.updateKey(e.key_id,t));return n&&(this.edited=null),n}rotate(e){return this.change(async()=>{this.created=await this.api.rotateKey(e.key_id)})}enable(e){return this.change(()=>this.api.enableKey(e.key_id,!e.enabled))}revoke(e){return this.asked=null,this.change(()=>this.api.revokeKey(e.key_id))}};N([C()],Y.prototype,`list`,void 0),N([C()],Y.prototype,`created`,void 0),N([C()],Y.prototype,`asked`,void 0),N([C()],Y.prototype,`edited`,void 0),N([C()],Y.prototype,`search`,void 0),N([C()],Y.prototype,`label`,void 0),N([C()],Y.prototype,`shown`,void 0),Y=N([x(`zai-keys`)],Y);var X=class extends b{constructor(...e){super(...e),this.known=[],this.strategies=[],this.editable=!1,this.busy=!1,this.dragged=null,this.moved=``}static{this.styles=[D,o`
      ol {
        margin: 8px 0;
        padding: 0;
      }
      li {
        display: flex;
        align-items: center;
        gap: 8px;
        list-style: none;
        padding: 4px 0;
        border-bottom: 1px solid var(--zai-line);
      }
      li + li {
        margin: 0;
      }
      li[draggable="true"] {
        cursor: grab;
      }
      li[data-dragged] {
        opacity: 0.4;
      }
      li span {
        flex: 1;
      }
      form.row {
        align-items: end;
      }
      label {
        max-width: 100%;
      }
      li button {
        min-width: 40px;
        padding: 4px;
      }
    `]}render(){let{alias:e,texts:t,editable:n}=this;return _`<section class="card" aria-label=${e.name}>
      <div class="row spread">
        <h2>${e.name}</h2>
        ${n&&!e.fixed?T(t(`models.remove`,{name:e.name}),{kind:`danger`,disabled:this.busy,press:()=>this.send({remove:e.name})}):y}
      </div>
      <p>${this.meaning()}</p>
      ${e.left_out.map(e=>_`<p class="quiet">${e}</p>`)}
      <p class="quiet">${t(`models.chain`)}</p>
      <ol>
        ${O(e.targets,e=>e,(e,t)=>this.target(e,t))}
      </ol>
      <p class="visually-hidden" role="status">${this.moved}</p>
      ${n?this.form():_`<p class="quiet">${this.strategyInWords()}</p>`}
    </section>`}meaning(){let{alias:e,texts:t}=this,[n,...r]=e.answers;if(n===void 0)return _`<span class="error">${e.error??t(`models.nobody`)}</span>`;let i=r.map(({backend:e,model:t})=>`${e} (${t})`).join(`, `);return`${t(`models.now`,{backend:n.backend,model:n.model})}${i?` ${t(`models.otherwise`,{others:i})}`:``}`}strategyInWords(){let{alias:e,texts:t}=this;return t(e.strategy===null?`models.gateways_strategy`:`strategy_sentences.${e.strategy}`)}target(e,t){let{texts:n,editable:r}=this;return _`<li
      draggable=${r?`true`:`false`}
      ?data-dragged=${this.dragged===e}
      @dragstart=${()=>this.dragged=e}
      @dragend=${()=>this.dragged=null}
      @dragover=${e=>e.preventDefault()}
      @drop=${()=>this.drop(t)}
    >
      <span>${e===`auto`?n(`models.any`):e}</span>
      ${r?this.buttons(e,t):y}
    </li>`}buttons(e,t){let{texts:n,alias:r,busy:i}=this,a=r.targets.length-1;return _`<button
        data-move="up"
        ?disabled=${t===0||i}
        aria-label=${n(`providers.up`,{name:e})}
        @click=${()=>this.move(t,t-1)}
      >
        ↑
      </button>
      <button
        data-move="down"
        ?disabled=${t===a||i}
        aria-label=${n(`providers.down`,{name:e})}
        @click=${()=>this.move(t,t+1)}
      >
        ↓
      </button>
      <button
        ?disabled=${a===0||i}
        aria-label=${n(`models.leave_out`,{name:e})}
        @click=${()=>this.change(r.targets.filter(t=>t!==e))}
      >
        ✕
      </button>`}form(){let{texts:e,alias:t}=this;return _`<form class="row" @submit=${e=>this.add(e)}>
      <label
        >${e(`models.add_target`)}
        <input name="target" list="known" required maxlength="256" autocomplete="off" />
        <datalist id="known">
          ${this.known.filter(e=>e!==t.name&&!t.targets.includes(e)).map(e=>_`<option value=${e}></option>`)}
        </datalist>
      </label>
      ${T(e(`models.add`),{disabled:this.busy})}
      <label
        >${e(`models.strategy`)}
        <select
          ?disabled=${this.busy}
          @change=${e=>this.change(t.targets,e.target.value||null)}
        >
          <option value="" ?selected=${t.strategy===null}>${e(`models.gateways_strategy`)}</option>
          ${this.strategies.map(n=>_`<option value=${n} ?selected=${n===t.strategy}>
                ${e(`strategy_sentences.${n}`)}
              </option>`)}
        </select>
      </label>
    </form>`}add(e){e.preventDefault();let t=e.target,n=F(new FormData(t),`target`);n&&this.change([...this.alias.targets,n]),t.reset()}drop(e){let t=this.alias.targets.indexOf(this.dragged??``);this.dragged=null,t>=0&&this.move(t,e)}move(e,t){let n=[...this.alias.targets],[r]=n.splice(e,1);r!==void 0&&e!==t&&(n.splice(t,0,r),this.change(n),this.moved=this.texts(`models.moved`,{name:r,place:t+1}),this.keepFocus(t,t<e?`up`:`down`))}async keepFocus(e,t){await new Promise(e=>this.addEventListener(`saved`,e,{once:!0})),await this.updateComplete;let n=this.renderRoot.querySelectorAll(`li`)[e]?.querySelectorAll(`button[data-move]:not(:disabled)`);([...n??[]].find(e=>e.dataset.move===t)??n?.[0])?.focus()}change(e,t=this.alias.strategy){this.send({alias:{...this.alias,targets:e,strategy:t}})}send(e){this.dispatchEvent(new CustomEvent(`change-alias`,{detail:e}))}};N([S({attribute:!1})],X.prototype,`alias`,void 0),N([S({attribute:!1})],X.prototype,`texts`,void 0),N([S({attribute:!1})],X.prototype,`known`,void 0),N([S({attribute:!1})],X.prototype,`strategies`,void 0),N([S({type:Boolean})],X.prototype,`editable`,void 0),N([S({type:Boolean})],X.prototype,`busy`,void 0),N([C()],X.prototype,`dragged`,void 0),N([C()],X.prototype,`moved`,void 0),X=N([x(`zai-alias-card`)],X);var Fi=50,Ii=class extends b{constructor(...e){super(...e),this.language=`en`,this.wanted=``,this.rows=Fi}static{this.styles=D}render(){let{texts:e,language:t}=this,n=this.wanted.toLowerCase().split(/\s+/),r=this.models.models.flatMap(({id:e,providers:t})=>t.filter(t=>{let r=`${e} ${t.backend} ${t.capabilities?.join(` `)??``}`.toLowerCase();return n.every(e=>r.includes(e))}).map(t=>({id:e,provider:t})));return _`<div class="card">
      <div class="row spread below">
        <h2>${e(`models.all`,{count:A(this.models.models_total,t)})}</h2>
        <label
          >${e(`models.find`)}
          <input
            type="search"
            @input=${e=>{this.wanted=e.target.value.trim(),this.rows=Fi}}
          />
        </label>
      </div>
      ${r.length===0?_`<p class="quiet">${e(this.models.models_total===0?`models.none`:`models.none_found`)}</p>`:this.table(r)}
      ${r.length>this.rows?_`<button class="above" @click=${()=>this.rows+=200}>${e(`requests.more`)}</button>`:y}
    </div>`}table(e){let{texts:t,language:n}=this;return _`<div class="scroll" tabindex="0" role="region" aria-label=${t(`tabs.models`)}>
      <table>
        <thead>
          <tr>
            <th>${t(`requests.model`)}</th>
            <th>${t(`requests.provider`)}</th>
            <th class="number">${t(`models.window`)}</th>
            <th>${t(`models.can`)}</th>
            <th>${t(`models.price`)}</th>
          </tr>
        </thead>
        <tbody>
          ${e.slice(0,this.rows).map(({id:e,provider:r})=>_`<tr class=${r.online?``:`quiet`}>
                <td>${e}</td>
                <td>
                  ${r.backend}${r.warm?` (${t(`providers.warm`)})`:``}${r.online?``:` (${t(`states.offline`)})`}
                </td>
                <td class="number">
                  ${r.context_window===null?`–`:A(r.context_window,n)}
                </td>
                <td>
                  ${r.capabilities===null?`–`:r.capabilities.map(e=>t(`needs.${e}`)).join(`, `)}
                </td>
                <td>${this.price(r)}</td>
              </tr>`)}
        </tbody>
      </table>
    </div>`}price(e){let{price_prompt:t,price_completion:n,currency:r}=e;return t===null||n===null||r===null?this.texts(`costs.${e.cost}`):this.texts(`models.prices`,{prompt:k(t,r,this.language),completion:k(n,r,this.language)})}};N([S({attribute:!1})],Ii.prototype,`models`,void 0),N([S({attribute:!1})],Ii.prototype,`texts`,void 0),N([S()],Ii.prototype,`language`,void 0),N([C()],Ii.prototype,`wanted`,void 0),N([C()],Ii.prototype,`rows`,void 0),Ii=N([x(`zai-model-table`)],Ii);var Li=1e3,Ri=class extends P{constructor(...e){super(...e),this.servers=[],this.deleting=null}static{this.styles=[P.styles,o`
      progress {
        width: 100%;
      }
      /* A phone shows each model as a block, with its buttons below. */
      @media (max-width: 600px) {
        thead {
          display: none;
        }
        tr {
          display: flex;
          flex-wrap: wrap;
          gap: 4px 16px;
          padding: 8px 0;
          border-bottom: 1px solid var(--zai-line);
        }
        td {
          border: 0;
          padding: 0;
        }
        td[data-label]::before {
          content: attr(data-label) ": ";
          color: var(--zai-quiet);
        }
        td:first-child,
        td:last-child {
          width: 100%;
        }
      }
    `]}connectedCallback(){super.connectedCallback(),this.run(()=>this.load())}disconnectedCallback(){super.disconnectedCallback(),clearTimeout(this.timer)}async load(){this.servers=await this.api.serverModels.list(),clearTimeout(this.timer),this.servers.some(({pulls:e})=>e.some(e=>e.state===`running`))&&this.isConnected&&(this.timer=window.setTimeout(()=>void this.load().catch(()=>void 0),Li))}render(){return this.servers.length===0?this.error?_`${this.errorLine()}`:y:_`${this.errorLine()}
    ${O(this.servers,e=>e.backend_id,e=>this.server(e))}`}server(e){let{texts:t}=this;return _`<section class="card" aria-label=${t(`server_models.of`,{name:e.name})}>
      <h2>${t(`server_models.of`,{name:e.name})}</h2>
      ${e.error===null?y:_`<p class="quiet">${e.error}</p>`}
      ${e.models.length===0?y:_`<div class="scroll" tabindex="0">
              <table>
                <thead>
                  <tr>
                    <th scope="col">${t(`server_models.model`)}</th>
                    <th scope="col">${t(`server_models.size`)}</th>
                    <th scope="col">${t(`server_models.memory`)}</th>
                    <th scope="col">${t(`server_models.actions`)}</th>
                  </tr>
                </thead>
                <tbody>
                  ${O(e.models,e=>e.name,t=>this.model(e,t))}
                </tbody>
              </table>
            </div>`}
      ${e.pulls.map(t=>this.pull(e,t))}
      ${e.can.includes(`pull`)?this.download(e):y}
    </section>`}model(e,t){let{texts:n}=this,r=t.loaded?`unload`:`load`,i=this.deleting?.[0]===e.backend_id&&this.deleting[1]===t.name;return _`<tr>
      <td>
        ${t.name} ${t.loaded?_`<span class="quiet">${n(`server_models.loaded`)}</span>`:y}
      </td>
      <td data-label=${n(`server_models.size`)}>${this.bytes(t.size)}</td>
      <td data-label=${n(`server_models.memory`)}>${this.bytes(t.memory)}</td>
      <td>
        <div class="row">
          ${e.can.includes(r)?T(n(`server_models.${r}`),{disabled:this.busy,name:n(`server_models.${r}_name`,{name:t.name}),press:()=>this.act(()=>this.api.serverModels[r](e.backend_id,t.name))}):y}
          ${e.can.includes(`delete`)?i?_`${T(n(`server_models.delete_sure`),{disabled:this.busy,press:()=>this.act(()=>this.api.serverModels.remove(e.backend_id,t.name))})}
                  ${T(n(`common.cancel`),{press:()=>this.deleting=null})}`:T(n(`server_models.delete`),{disabled:this.busy,name:n(`server_models.delete_name`,{name:t.name}),press:()=>this.deleting=[e.backend_id,t.name]}):y}
        </div>
      </td>
    </tr>`}pull(e,t){let{texts:n}=this,r=t.completed===null||t.total===null?null:t.completed/t.total,i=t.state===`running`;return _`<div role="status">
      <div class="row spread">
        <span
          >${n(`server_models.pull_${t.state}`,{name:t.model,status:t.error??t.status})}</span
        >
        ${i?T(n(`server_models.stop`),{name:n(`server_models.stop_name`,{name:t.model}),press:()=>this.act(()=>this.api.serverModels.cancel(e.backend_id,t.model))}):y}
      </div>
      ${i?r===null?_`<progress aria-label=${t.model}></progress>`:_`<progress max="1" .value=${r} aria-label=${t.model}></progress>
                <span class="quiet">${this.bytes(t.completed)} / ${this.bytes(t.total)}</span>`:y}
    </div>`}download(e){let{texts:t}=this;return _`<form class="row end" @submit=${t=>this.start(t,e)}>
      <label
        >${t(`server_models.download`)}
        <input name="model" required maxlength="256" autocomplete="off" placeholder="qwen3:8b" />
      </label>
      ${T(t(`server_models.pull`),{kind:`main`,disabled:this.busy})}
    </form>`}start(e,t){e.preventDefault();let n=e.target;this.act(async()=>{await this.api.serverModels.pull(t.backend_id,F(new FormData(n),`model`)),n.reset()})}act(e){return this.run(async()=>{try{await e()}finally{this.deleting=null,await this.load()}})}bytes(e){return e===null?`–`:new Intl.NumberFormat(this.language,{style:`unit`,unit:`gigabyte`,maximumFractionDigits:1}).format(e/1e9)}};N([C()],Ri.prototype,`servers`,void 0),N([C()],Ri.prototype,`deleting`,void 0),Ri=N([x(`zai-server-models`)],Ri);var zi=class extends P{constructor(...e){super(...e),this.models=null,this.seen=``}updated(e){if(!e.has(`live`)&&this.seen)return;let t=this.live?.members??[],n=JSON.stringify(t.map(e=>[e.id,e.state,e.enabled,e.priority,e.models_total,e.models.map(e=>e.warm)]));n!==this.seen&&(this.seen=n,this.run(()=>this.load()))}async load(){this.models=await this.api.routing.models()}render(){let{texts:e,models:t}=this;if(t===null)return _`${this.errorLine()}
        <p class="quiet">${e(`common.loading`)}</p>`;let n=[...t.aliases.map(e=>e.name),...t.models.map(e=>e.id)];return _`${this.errorLine()}
      <div class="card">
        <h2>${e(`models.strategy`)}</h2>
        ${this.strategy(t)}
        ${t.editable?y:_`<p class="quiet">${e(this.api.settings?`models.no_gateway`:`models.configured`)}</p>`}
      </div>
      ${O(t.aliases,e=>e.name,r=>_`<zai-alias-card
            .alias=${r}
            .texts=${e}
            .known=${n}
            .strategies=${t.strategies}
            .editable=${t.editable}
            .busy=${this.busy}
            @change-alias=${e=>this.change(e)}
          ></zai-alias-card>`)}
      ${t.editable?this.newAlias(n):y}
      <zai-model-table .models=${t} .texts=${e} .language=${this.language}></zai-model-table>
      <zai-server-models .api=${this.api} .texts=${e} .language=${this.language}></zai-server-models>`}strategy(e){let{texts:t}=this;return e.editable?_`<label class="wide"
      >${t(`models.strategy_for_all`)}
      <select
        ?disabled=${this.busy}
        @change=${e=>{let{value:t}=e.target;this.save(()=>this.api.routing.setStrategy(t))}}
      >
        ${e.strategies.map(n=>_`<option value=${n} ?selected=${n===e.strategy}>
              ${t(`strategy_sentences.${n}`)}
            </option>`)}
      </select>
    </label>`:_`<p>${t(`strategy_sentences.${e.strategy}`)}</p>`}newAlias(e){let{texts:t}=this;return _`<form class="card" @submit=${e=>this.create(e)}>
      <h2>${t(`models.new`)}</h2>
      <p class="quiet">${t(`models.new_hint`)}</p>
      <div class="row end">
        <label>${t(`models.name`)} <input name="name" required maxlength="256" autocomplete="off" /></label>
        <label
          >${t(`models.first`)}
          <input name="target" list="targets" required maxlength="256" autocomplete="off" />
          <datalist id="targets">${e.map(e=>_`<option value=${e}></option>`)}</datalist>
        </label>
        ${T(t(`models.create`),{kind:`main`,disabled:this.busy})}
      </div>
    </form>`}create(e){e.preventDefault();let t=e.target,n=new FormData(t),r={name:F(n,`name`),targets:[F(n,`target`)],strategy:null};this.save(async()=>{await this.api.routing.setAlias(r,!0),t.reset()})}async change(e){let{detail:t,target:n}=e;await this.save(()=>`remove`in t?this.api.routing.removeAlias(t.remove):this.api.routing.setAlias(t.alias)),await this.updateComplete,n?.dispatchEvent(new Event(`saved`))}save(e){return this.run(async()=>{await e(),await this.load()})}};N([C()],zi.prototype,`models`,void 0),zi=N([x(`zai-models`)],zi);var Bi=class extends P{constructor(...e){super(...e),this.budgets=[],this.now=Date.now()/1e3}static{this.styles=[P.styles,o`
      ul {
        list-style: none;
        margin: 0;
        padding: 0;
        gap: 12px 32px;
      }
      li + li {
        margin-top: 0;
      }
      li.row {
        gap: 8px;
      }
    `]}connectedCallback(){super.connectedCallback(),this.clock=setInterval(()=>this.now=Date.now()/1e3,1e3)}disconnectedCallback(){super.disconnectedCallback(),clearInterval(this.clock)}willUpdate(e){e.has(`live`)&&this.live?.requests_today!==this.counted&&(this.counted=this.live?.requests_today,this.loadBudgets())}loadBudgets(){this.api.can.records&&this.api.budgets().then(e=>this.budgets=e,()=>void 0)}render(){let{live:e,texts:t}=this;if(e===null)return bt(t(`common.loading`));if(e.members.length===0)return E(_`<p>${t(this.api.settings?`overview.nobody`:`overview.nobody_served`)}</p>
          ${this.api.settings?_`<a href=${this.api.settings}>${t(`overview.add`)}</a>`:y}`,t(`overview.nobody_title`));let n=e.running_total-e.running.length;return _`${E(this.state(e))} ${E(this.status(e),t(`overview.status`))}
    ${E(_`${this.running(e.running)}
      ${n>0?_`<p class="quiet">${t(`overview.more`,{count:n})}</p>`:y}`,t(`overview.running`))}
    ${E(this.usage(e),t(`overview.costs`))}`}state(e){let{texts:t}=this,n=e.last_failover;return _`<p role="status" class="sentence">${this.sentence()}</p>
      ${n?_`<p class="quiet">
              ${t(`overview.failover`,{from:n.backend,to:n.to,when:M(n.when,this.language),reason:n.reason})}
            </p>`:y}
      ${yt(t(`overview.home_only`),e.home_only,e=>this.keepAtHome(e),{disabled:this.busy,description:`home-only`})}
      <p class="quiet" id="home-only">${t(e.home_only?`overview.home_only_on`:`overview.home_only_off`)}</p>
      ${this.errorLine()}`}status(e){let{texts:t,language:n}=this;return _`<ul class="row">
      ${e.members.filter(e=>e.enabled).map(e=>_`<li class="row" title=${mt(e.reason??void 0)}>
              <b>${e.name}</b>
              <span class="badge ${e.state}">${t(`states.${e.known?e.state:`unknown`}`)}</span>
              ${e.running?_`<span class="quiet"
                      >${e.limit===null?t(`overview.load`,{running:A(e.running,n)}):t(`overview.load_of`,{running:A(e.running,n),limit:A(e.limit,n)})}</span
                    >`:y}
            </li>`)}
    </ul>`}usage(e){let{texts:t,language:n}=this;return _`<div class="row">
        <span>${t(`overview.today`)}: <b>${this.costs(e.cost_today)}</b></span>
        <span>${t(`overview.month`)}: <b>${this.costs(e.cost_month)}</b></span>
        <span>${t(`overview.requests_today`)}: <b>${A(e.requests_today,n)}</b></span>
      </div>
      ${this.budgets.map(e=>_`<p>
              ${t(`overview.budget`,{owner:e.owner,period:t(`common.${e.period}`)})}:
              ${A(Math.round(e.percent),n)} %
            </p>
            ${Lt(e.percent,e.owner,e.thresholds)}`)}`}async keepAtHome(e){return await this.run(()=>this.api.finding.setHomeOnly(e)),!this.error}costs(e){return Rt(e,this.language)||this.texts(`common.nothing`)}sentence(){let{live:e,texts:t}=this;if(e===null)return``;let n=e.members.filter(e=>e.enabled&&[`healthy`,`degraded`].includes(e.state));return`${n.length===0?t(`overview.none_answers`):e.last_answer?t(`overview.answers`,e.last_answer):t(`overview.ready`,{count:n.length})}; ${e.waiting?t(`overview.waiting`,{count:e.waiting}):t(`overview.nothing_waits`)}; ${t(`overview.costs_today`,{cost:this.costs(e.cost_today)})}`}running(e){let{texts:t}=this;return e.length===0?_`<p class="quiet">${t(`overview.idle`)}</p>`:_`<div class="scroll" tabindex="0">
      <table>
        <thead>
          <tr>
            <th scope="col">${t(`requests.who`)}</th>
            <th scope="col">${t(`requests.model`)}</th>
            <th scope="col">${t(`requests.provider`)}</th>
            <th scope="col" class="number">${t(`overview.since`)}</th>
          </tr>
        </thead>
        <tbody>
          ${O(e,e=>e.id,e=>_`<tr>
                <td>${e.who||t(`sources.${e.source}`)}</td>
                <td>${e.model??e.requested_model}</td>
                <td>${e.backend_name??t(`overview.waits`)}</td>
                <td class="number">${j(Math.max(0,this.now-e.started)*1e3,this.language)}</td>
              </tr>`)}
        </tbody>
      </table>
    </div>`}};N([C()],Bi.prototype,`budgets`,void 0),N([C()],Bi.prototype,`now`,void 0),Bi=N([x(`zai-overview`)],Bi);var Vi=class extends P{constructor(...e){super(...e),this.localize=null,this.values={}}connectedCallback(){super.connectedCallback(),this.run(async()=>{this.localize=await this.flows.texts()})}willUpdate(e){e.has(`step`)&&(this.values=ut(this.step.data_schema??[]))}updated(e){e.has(`step`)&&this.step.type!==`create_entry`&&this.renderRoot.querySelector(`h2`)?.focus()}render(){let{step:e,localize:t,texts:n}=this;if(t===null)return _`${this.errorLine()}
        <p class="quiet">${n(`common.loading`)}</p>`;let r=this.text(`step.${e.step_id??``}.title`)||n(`add.title`);return _`<section aria-label=${r}>
      <h2 tabindex="-1">${r}</h2>
      ${this.errorLine()}${this.body()}
    </section>`}body(){let{step:e,texts:t}=this;switch(e.type){case`menu`:return _`${this.description(`step.${e.step_id}.description`)}
          <div class="row">
            ${dt(e).map(t=>T(this.text(`step.${e.step_id}.menu_options.${t}`)||t,{disabled:this.busy,press:()=>this.send({next_step_id:t})}))}
          </div>
          <div class="row above">${this.cancelButton()}</div>`;case`form`:return this.form();case`abort`:return _`${this.description(`abort.${e.reason}`,e.reason)}
          <div class="row above">${T(t(`common.done`),{press:()=>this.end(e)})}</div>`;default:return _`<p>${t(`add.elsewhere`)}</p>
          <div class="row above">
            ${this.api.settings?_`<a href=${this.api.settings}>${t(`add.settings`)}</a>`:y}
            ${this.cancelButton()}
          </div>`}}form(){let{step:e,texts:t}=this,n=St({hass:this.flows.hass,schema:e.data_schema??[],values:this.values,errors:e.errors??{},label:(t,n)=>t.type===`expandable`?this.text(`step.${e.step_id}.sections.${t.name}.name`)||t.name:this.fieldText(`data`,t,n)||t.name,helper:(e,t)=>e.type===`expandable`?``:this.fieldText(`data_description`,e,t),error:e=>this.text(`error.${e}`)||e,localizeValue:e=>this.localize?.(`selector.${e}`)??e,changed:e=>this.values=e});return n===null?_`<p>${t(`add.elsewhere`)}</p>
        ${this.api.settings?_`<a href=${this.api.settings}>${t(`add.settings`)}</a>`:y}`:_`<form
      @submit=${e=>{e.preventDefault(),this.send(Hi(this.values))}}
    >
      ${this.description(`step.${e.step_id}.description`)}${n}
      <div class="row above">
        ${T(t(this.busy?`add.checking`:`add.submit`),{kind:`main`,disabled:this.busy,press:()=>this.send(Hi(this.values))})}
        ${this.cancelButton()}
      </div>
    </form>`}cancelButton(){return T(this.texts(`common.cancel`),{press:()=>this.cancel()})}description(e,t=``){let n=this.text(e)||t;return n?Ct(n):y}fieldText(e,t,n){return this.text(`step.${this.step.step_id}.${n?`sections.${n}.`:``}${e}.${t.name}`)}text(e){let t=this.kind.part===null?`config`:`config_subentries.${this.kind.part}`;return this.localize?.(`${t}.${e}`,this.step.description_placeholders??{})??``}send(e){return this.run(async()=>{let t=await this.flows.answer(this.kind,this.step.flow_id,e);if(t.type===`create_entry`)this.end(t);else if(t.step_id===this.step.step_id&&t.type===`form`){let e=this.values;this.step=t,await this.updateComplete,this.values=e}else this.step=t})}async cancel(){await this.flows.cancel(this.kind,this.step.flow_id),this.end(null)}end(e){this.dispatchEvent(new CustomEvent(`flow-end`,{detail:{kind:this.kind,step:e}}))}};N([S({attribute:!1})],Vi.prototype,`flows`,void 0),N([S({attribute:!1})],Vi.prototype,`kind`,void 0),N([S({attribute:!1})],Vi.prototype,`step`,void 0),N([C()],Vi.prototype,`localize`,void 0),N([C()],Vi.prototype,`values`,void 0),Vi=N([x(`zai-flow`)],Vi);function Hi(e){return Object.fromEntries(Object.entries(e).filter(([,e])=>e!=null))}var Ui=class extends P{constructor(...e){super(...e),this.found=null,this.share=0,this.ending=new AbortController}static{this.styles=[P.styles,o`
      ul {
        margin: 0;
        padding: 0;
        list-style: none;
      }
      li {
        border-top: 1px solid var(--zai-line);
        padding-top: 8px;
      }
      progress {
        width: 100%;
      }
    `]}disconnectedCallback(){super.disconnectedCallback(),this.ending.abort()}render(){let{texts:e,found:t}=this,n=Math.round(this.share*100);return _`<section class="card" aria-labelledby="title">
      <div class="row spread below">
        <h2 id="title">${e(`add.scan`)}</h2>
        ${T(this.busy?e(`add.scanning`,{percent:n}):e(`add.scan`),{disabled:this.busy,press:()=>this.scan()})}
      </div>
      <p class="quiet">${e(`add.scan_intro`)}</p>
      ${this.busy?_`<progress max="1" .value=${this.share} aria-label=${e(`add.scan`)}></progress>`:y}
      ${this.errorLine()}
      <div role="status">${t===null?y:this.result(t)}</div>
    </section>`}result({networks:e,servers:t,silent:n}){let{texts:r}=this,i=e.join(`, `)||`–`;return _`<p>${r(t.length===0?`add.scan_nothing`:`add.scan_found`,{networks:i})}</p>
      <ul>
        ${O(t,e=>e.base_url,e=>this.server(e))}
      </ul>
      ${t.length>0&&this.api.flows===null?_`<p class="quiet">${r(`add.scan_served`)}</p>`:y}
      ${n.length>0?_`<p class="quiet">${r(`add.scan_silent`,{hosts:n.join(`, `)})}</p>`:y}`}server(e){let{texts:t,api:n}=this,r=e.state===`new`,i=e.models.join(`, `);return _`<li>
      <div class="row spread">
        <div>
          <b>${e.title}</b> <span class="quiet">${t(`add.${e.state}`)}</span>
          <div class="quiet">${e.base_url}${i?` · ${i}`:``}</div>
        </div>
        ${r&&n.flows!==null?T(t(`add.add`),{name:t(`add.add_name`,{name:e.title}),press:()=>this.dispatchEvent(new CustomEvent(`server-chosen`,{detail:e}))}):y}
      </div>
      ${r&&n.flows===null?_`<pre>${`--upstream ${e.type}=${e.base_url}`}</pre>`:y}
    </li>`}scan(){return this.share=0,this.ending=new AbortController,this.run(async()=>{this.found=await this.api.finding.scan(e=>this.share=e,this.ending.signal)})}};N([C()],Ui.prototype,`found`,void 0),N([C()],Ui.prototype,`share`,void 0),Ui=N([x(`zai-network-scan`)],Ui);var Wi=[`new`,`changed`,`unanswered`],Gi=class extends P{constructor(...e){super(...e),this.found=null,this.choosing=!1,this.running=null,this.notice=``}static{this.styles=[P.styles,o`
      ul {
        margin: 0;
        padding: 0;
        list-style: none;
      }
      .choices {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(min(100%, 200px), 1fr));
        gap: 8px;
      }
      .choices li {
        margin: 0;
        display: grid;
      }
      .found li {
        border-top: 1px solid var(--zai-line);
        padding-top: 8px;
      }
    `]}connectedCallback(){super.connectedCallback(),this.hasUpdated&&this.search()}disconnectedCallback(){super.disconnectedCallback(),this.stop?.(),this.stop=void 0}firstUpdated(){this.search()}updated(e){e.has(`choosing`)&&this.choosing&&this.renderRoot.querySelector(`#choose`)?.focus()}open(){this.choosing=this.running===null,this.renderRoot.querySelector(`#choose`)?.focus()}search(){return this.run(async()=>{this.stop?.(),this.stop=void 0;let e=await this.api.finding.discovered(e=>this.found=e);this.isConnected?this.stop=e:e()})}render(){let{texts:e,running:t,api:n}=this;return _`${this.errorLine()}
      <p role="status">${this.notice}</p>
      ${t!==null&&n.flows!==null?_`<div class="card">
              ${t.next?_`<p class="quiet">${e(`add.gateway_first`)}</p>`:y}
              <zai-flow
                .api=${n}
                .texts=${e}
                .flows=${n.flows}
                .kind=${t.kind}
                .step=${t.step}
                @flow-end=${e=>this.ended(e.detail)}
              ></zai-flow>
            </div>`:this.choosing?this.choices():y}
      <section class="card" aria-labelledby="discovered">
        <div class="row spread below">
          <h2 id="discovered">${e(`add.discovered`)}</h2>
          ${T(e(this.busy?`add.searching`:`add.search`),{disabled:this.busy,press:()=>this.search()})}
        </div>
        ${this.discovered()}
      </section>
      <zai-network-scan
        .api=${n}
        .texts=${e}
        @server-chosen=${e=>this.addServer(e.detail)}
      ></zai-network-scan>`}choices(){let{texts:e,found:t}=this,n=(t?.providers??[]).filter(({state:e})=>e===`new`||e===`changed`);return _`<section class="card" aria-labelledby="choose">
      <h2 id="choose" tabindex="-1">${e(`add.choose`)}</h2>
      <ul class="choices">
        ${n.map(t=>_`<li>
              ${T(e(`add.found`,{name:t.name}),{disabled:this.busy,press:()=>this.addDiscovered(t)})}
            </li>`)}
        ${(t?.kinds??[]).map(e=>_`<li>
              ${T(this.nameOf(e),{disabled:this.busy,press:()=>this.addPart(`backend`,e.name)})}
            </li>`)}
        <li>${T(e(`add.agent`),{disabled:this.busy,press:()=>this.addPart(`home_agent`)})}</li>
        <li>
          ${T(e(`add.by_address`),{disabled:this.busy,press:()=>this.begin(()=>this.ofEntry(`provider`))})}
        </li>
      </ul>
      <div class="row above">${T(e(`common.cancel`),{press:()=>this.choosing=!1})}</div>
    </section>`}nameOf(e){return e.name===`openai_compatible`?this.texts(`add.other`):e.cloud?this.texts(`add.cloud`,{name:e.title}):e.title}discovered(){let{texts:e,found:t}=this;return t===null?_`<p class="quiet">${e(`common.loading`)}</p>`:t.providers.length===0?_`<p class="quiet">${e(`add.nothing`)}</p>`:_`<ul class="found">
        ${O(t.providers,e=>e.id,e=>this.provider(e))}
      </ul>
      ${this.api.flows===null?_`<p class="quiet">${e(`add.served`)}</p>`:y}`}provider(e){let{texts:t,api:n}=this,r=e.models_total-e.models.length,i=e.models.join(`, `)+(r>0?` ${t(`providers.more_models`,{count:r})}`:``),a=Wi.includes(e.state);return _`<li>
      <div class="row spread">
        <div>
          <b>${e.name}</b> <span class="quiet">${t(`add.${e.state}`)}</span>
          ${e.needs_key?_`<span class="quiet">· ${t(`add.needs_key`)}</span>`:y}
          <div class="quiet">${e.base_url}${i?` · ${i}`:``}</div>
        </div>
        ${a&&n.flows!==null?T(t(`add.add`),{disabled:this.busy||this.running!==null,name:t(`add.add_name`,{name:e.name}),press:()=>this.addDiscovered(e)}):y}
      </div>
      ${a&&n.flows===null?_`<pre>--upstream zeroconfai=${e.base_url}</pre>`:y}
    </li>`}addDiscovered(e){return this.begin(async()=>{if(e.flow_id!==null){let t={part:null};return{kind:t,step:await this.flows.resume(t,e.flow_id)}}let t=await this.ofEntry(`provider`);return t.step.step_id===`found`&&(t.step=await this.flows.answer(t.kind,t.step.flow_id,{provider:e.id})),t})}addServer({base_url:e}){return this.begin(async()=>{let{kind:t,step:n}=await this.ofEntry(`provider`),r=n.step_id===`found`?await this.flows.answer(t,n.flow_id,{provider:`enter_address`}):n;return{kind:t,step:await this.flows.answer(t,r.flow_id,{host:e,advanced:{ssl:!1,verify_ssl:!0}})}})}addPart(e,t){let n=async n=>{let r={part:e,entry:n},i=await this.flows.start(r);return t===void 0||!dt(i).includes(t)?{kind:r,step:i}:{kind:r,step:await this.flows.answer(r,i.flow_id,{next_step_id:t})}};return this.begin(async()=>{let e=this.found?.gateway??null;return e===null?{...await this.ofEntry(`gateway`),next:n}:n(e)})}async ofEntry(e){let t={part:null},n=await this.flows.start(t);return n.type===`menu`?{kind:t,step:await this.flows.answer(t,n.flow_id,{next_step_id:e})}:{kind:t,step:n}}get flows(){if(this.api.flows===null)throw Error(`A configuration file adds providers.`);return this.api.flows}begin(e){return this.notice=``,this.run(async()=>{this.running=await e(),this.choosing=!1})}ended({step:e}){let t=this.running?.next;if(this.running=null,e===null||e.type!==`create_entry`)return;let n=e.result?.entry_id;t&&n!==void 0&&this.begin(()=>t(n)).catch(e=>this.error=tt(e)),this.notice=this.texts(`add.done`,{name:e.title??``})}};N([C()],Gi.prototype,`found`,void 0),N([C()],Gi.prototype,`choosing`,void 0),N([C()],Gi.prototype,`running`,void 0),N([C()],Gi.prototype,`notice`,void 0),Gi=N([x(`zai-add-ai`)],Gi);var Ki=class extends P{constructor(...e){super(...e),this.found=null}static{this.styles=[P.styles,o`
      ul {
        padding: 0;
        list-style: none;
      }
      li {
        padding-inline-start: 12px;
        border-inline-start: 4px solid var(--zai-quiet);
      }
      li.ok {
        border-color: var(--zai-good);
      }
      td {
        white-space: nowrap;
      }
      li.problem {
        border-color: var(--zai-bad);
      }
    `]}render(){let{texts:e,found:t}=this;return _`<section class="card" aria-labelledby="title">
      <h2 id="title">${e(`finding.title`)}</h2>
      <p class="quiet">${e(`finding.intro`)}</p>
      ${T(e(this.busy?`finding.checking`:`finding.check`),{disabled:this.busy,press:()=>this.check()})}
      ${this.errorLine()}
      <div role="status">
        ${t===null?y:_`<ul>
                ${t.findings.map(({code:t,level:n,values:r})=>_`<li class=${n}>${e(`finding.${t}`,r)}</li>`)}
              </ul>`}
      </div>
      ${t===null?y:this.details(t)}
    </section>`}details({interfaces:e,packets:t}){let{texts:n,language:r}=this,i=e=>n(e?`finding.yes`:`finding.no`);return _`<details>
      <summary>${n(`finding.details`)}</summary>
      <div class="scroll" tabindex="0">
        <table>
          <caption>
            ${n(`finding.interfaces`)}
          </caption>
          <thead>
            <tr>
              <th scope="col">${n(`finding.interface`)}</th>
              <th scope="col">${n(`finding.addresses`)}</th>
              <th scope="col">${n(`finding.sent`)}</th>
              <th scope="col">${n(`finding.advertised`)}</th>
              <th scope="col" class="number">${n(`finding.hosts`)}</th>
              <th scope="col" class="number">${n(`finding.packets`)}</th>
            </tr>
          </thead>
          <tbody>
            ${e.map(e=>_`<tr>
                  <td>${e.name}</td>
                  <td>${e.addresses.map(e=>_`<div>${e}</div>`)}</td>
                  <td>${e.error??i(e.sent)}</td>
                  <td>${i(e.advertised)}</td>
                  <td class="number">${A(e.hosts,r)}</td>
                  <td class="number">${A(e.packets,r)}</td>
                </tr>`)}
          </tbody>
        </table>
      </div>
      ${t.length===0?y:_`<div class="scroll" tabindex="0">
              <table>
                <caption>
                  ${n(`finding.last_packets`)}
                </caption>
                <thead>
                  <tr>
                    <th scope="col">${n(`finding.when`)}</th>
                    <th scope="col">${n(`finding.from`)}</th>
                    <th scope="col">${n(`finding.interface`)}</th>
                    <th scope="col">${n(`finding.about`)}</th>
                  </tr>
                </thead>
                <tbody>
                  ${t.map(e=>_`<tr>
                        <td>${M(e.when,r)}</td>
                        <td>${e.address}</td>
                        <td>${e.interface}</td>
                        <td>
                          ${n(e.query?`finding.asks`:`finding.answers`,{kinds:e.kinds.join(`, `)})}
                        </td>
                      </tr>`)}
                </tbody>
              </table>
            </div>`}
    </details>`}check(){return this.run(async()=>{this.found=await this.api.finding.checkDiscovery()})}};N([C()],Ki.prototype,`found`,void 0),Ki=N([x(`zai-discovery-check`)],Ki);var qi=class extends b{constructor(...e){super(...e),this.items=[],this.language=`en`,this.now=Date.now()/1e3}static{this.styles=[D,o`
      progress {
        width: 100%;
        accent-color: var(--zai-accent);
      }
      p {
        margin: 8px 0 0;
      }
    `]}connectedCallback(){super.connectedCallback(),this.clock=setInterval(()=>this.now=Date.now()/1e3,1e3)}disconnectedCallback(){super.disconnectedCallback(),clearInterval(this.clock)}render(){return _`${O(this.items,e=>`${e.kind} ${e.model??``}`,e=>this.item(e))}`}item({kind:e,model:t,started:n,usual:r}){let{texts:i,language:a}=this,o=Math.max(0,this.now-n),s={model:t??``,time:j(Math.round(o)*1e3,a),usual:r===null?``:j(Math.round(r)*1e3,a)},c=i(`providers.${e}${r===null?``:`_of`}`,s),l=r!==null&&o<r;return _`<p>${c}</p>
      <progress
        aria-label=${i(`providers.${e}`,s)}
        max=${l?r:y}
        value=${l?o:y}
      ></progress>`}};N([S({attribute:!1})],qi.prototype,`items`,void 0),N([S({attribute:!1})],qi.prototype,`texts`,void 0),N([S()],qi.prototype,`language`,void 0),N([C()],qi.prototype,`now`,void 0),qi=N([x(`zai-preparations`)],qi);var Ji=12,Yi=5,Xi=class extends P{constructor(...e){super(...e),this.dragged=null,this.checking=null}static{this.styles=[P.styles,o`
      li {
        list-style: none;
      }
      ul {
        margin: 0;
        padding: 0;
      }
      li[data-dragged] {
        opacity: 0.4;
      }
      .models span {
        border: 1px solid var(--zai-line);
        border-radius: 12px;
        padding: 2px 10px;
        font-size: 0.85rem;
      }
      .models .warm {
        border-color: var(--zai-good);
      }
      svg {
        width: 120px;
        height: 28px;
      }
      .order button {
        min-width: 40px;
        padding: 4px;
      }
    `]}get ordered(){return[...this.live?.members??[]].sort((e,t)=>Number(e.kind===`agent`)-Number(t.kind===`agent`)||e.priority-t.priority||e.name.localeCompare(t.name))}render(){let{texts:e}=this;if(this.live===null)return bt(e(`common.loading`));let t=this.ordered;return _`<div class="row spread below">
        <span class="quiet">${e(this.api.can.arrange?`providers.order`:`providers.order_configured`)}</span>
        ${this.api.flows===null?y:T(e(`add.title`),{kind:`main`,press:()=>this.renderRoot.querySelector(`zai-add-ai`)?.open()})}
      </div>
      ${this.errorLine()}
      <ul>
        ${O(t,e=>e.id,(e,n)=>this.member(e,n,t))}
      </ul>
      <zai-add-ai .api=${this.api} .texts=${e} .language=${this.language}></zai-add-ai>
      <zai-discovery-check .api=${this.api} .texts=${e} .language=${this.language}></zai-discovery-check>`}member(e,t,n){let{texts:r,language:i}=this;return _`<li
      class="card"
      draggable=${this.api.can.arrange?`true`:`false`}
      ?data-dragged=${this.dragged===e.id}
      @dragstart=${()=>this.dragged=e.id}
      @dragend=${()=>this.dragged=null}
      @dragover=${e=>e.preventDefault()}
      @drop=${()=>this.drop(t,n)}
    >
      <div class="row spread">
        <div class="row">
          <b>${e.name}</b>
          <span class="badge ${e.state}">${r(`states.${e.known?e.state:`unknown`}`)}</span>
          <span class="quiet">${r(e.kind===`agent`?`providers.agent`:`costs.${e.cost}`)}</span>
        </div>
        ${this.api.can.arrange?this.arrows(e,t,n):y}
      </div>
      ${this.live?.home_only&&!e.local?_`<p class="quiet">${r(`providers.outside`)}</p>`:y}
      ${e.reason?_`<p class="error">${e.reason}</p>`:y}
      <div class="row around">
        <span>
          ${r(`providers.running`)}:
          ${A(e.running,i)}${e.limit===null?y:_` / ${A(e.limit,i)}`}${e.waiting?`, ${r(`overview.waiting`,{count:e.waiting})}`:``}
        </span>
        ${e.latency_ms===null?y:_`<span>${r(`providers.latency`)}: ${j(e.latency_ms,i)}</span>
                ${Zi(e.latencies_ms)}`}
        <span>${r(`overview.requests_today`)}: ${A(e.requests_today,i)}</span>
        ${Rt(e.cost_today,i)?_`<span>${r(`providers.cost_today`)}: ${Rt(e.cost_today,i)}</span>`:y}
      </div>
      ${e.preparations.length?_`<zai-preparations
              .items=${e.preparations}
              .texts=${r}
              .language=${i}
            ></zai-preparations>`:y}
      <div class="row models">${this.models(e)}</div>
      <div class="row above">
        ${this.api.can.arrange?T(r(e.enabled?`providers.disable`:`providers.enable`),{disabled:this.busy,press:()=>this.run(()=>this.api.useProvider(e.id,!e.enabled))}):y}
        ${e.kind===`agent`?y:T(r(this.checking===e.id?`providers.checking`:`providers.check`),{disabled:this.checking!==null,press:()=>this.check(e.id)})}
      </div>
    </li>`}arrows(e,t,n){let{texts:r}=this;return _`<div class="row order">
      <button
        ?disabled=${n[t-1]?.kind!==e.kind||this.busy}
        aria-label=${r(`providers.up`,{name:e.name})}
        @click=${()=>this.move(t,t-1,n)}
      >
        ↑
      </button>
      <button
        ?disabled=${n[t+1]?.kind!==e.kind||this.busy}
        aria-label=${r(`providers.down`,{name:e.name})}
        @click=${()=>this.move(t,t+1,n)}
      >
        ↓
      </button>
    </div>`}models(e){if(e.models.length===0)return _`<span class="quiet">${this.texts(`providers.no_models`)}</span>`;let t=e.models_total-Math.min(Ji,e.models.length);return _`${e.models.slice(0,Ji).map(e=>_`<span class=${e.warm?`warm`:``}
            >${e.id}${e.warm?` (${this.texts(`providers.warm`)})`:``}</span
          >`)}${t>0?_`<span class="quiet">${this.texts(`providers.more_models`,{count:t})}</span>`:y}`}async check(e){this.checking=e,await this.run(()=>this.api.checkProvider(e)),this.checking=null}drop(e,t){let n=t.findIndex(e=>e.id===this.dragged);this.dragged=null,n>=0&&this.move(n,e,t)}move(e,t,n){let r=n.map(e=>e.id),[i]=r.splice(e,1);return i===void 0||e===t||n[t]?.kind!==n[e]?.kind?Promise.resolve():(r.splice(t,0,i),this.run(()=>this.api.orderProviders(r)))}};N([C()],Xi.prototype,`dragged`,void 0),N([C()],Xi.prototype,`checking`,void 0),Xi=N([x(`zai-providers`)],Xi);function Zi(e){if(e.length<Yi)return y;let t=Math.max(...e,1);return _`<svg viewBox="0 0 120 28" aria-hidden="true">
    ${ke`<polyline points=${e.map((n,r)=>`${r/(e.length-1)*120},${27-n/t*26}`).join(` `)} fill="none" stroke="currentColor" stroke-width="1.5" />`}
  </svg>`}var Qi={models:[],backends:[],keys:[],users:[],labels:[],addresses:[]},$i=300;async function ea(e){let t=Bt(new Date),n=Bt(new Date(Date.now()-5184e5)),r=async r=>{let{rows:i}=await e.usage(n,t,[r]).catch(()=>({rows:[]}));return i.sort((e,t)=>t.requests-e.requests).map(e=>({id:ta(e[r]),name:ta(e[`${r}_name`])||ta(e[r])})).filter(({id:e})=>e!==``).slice(0,$i)},[i,a,o,s,c,l]=await Promise.all([r(`model`),r(`backend`),r(`key`),r(`user`),r(`label`),r(`address`)]);return{models:i,backends:a,keys:o,users:s,labels:c,addresses:l}}var ta=e=>typeof e==`string`?e:``;function na(e){let t=[],n=e.duration_ms,r=0,i=(e,i,a)=>{i===null||i<=r||(t.push({kind:e,from:r,to:Math.min(i,n),...a===void 0?{}:{provider:a}}),r=Math.min(i,n))};for(let t of e.failed_attempts)t.began_ms!==null&&(i(`waiting`,t.began_ms),i(`attempt`,t.ended_ms,t.backend_name));return i(`waiting`,e.sent_ms),i(`first_byte`,e.first_byte_ms),e.streamed?(i(`first_token`,e.latency_ms),i(`answer`,e.latency_ms===null?null:n)):i(`answer`,e.latency_ms),i(`rest`,n),t}function ra(e,t,n){let r=Math.max(1,e.duration_ms),i=e=>`${Math.max(0,Math.min(100,e/r*100)).toFixed(2)}%`;return _`<ol class="waterfall" aria-label=${t(`requests.waterfall`)}>
    ${na(e).map(({kind:r,from:a,to:o,provider:s})=>_`<li>
          <span>${t(`requests.span_${r}`,{provider:s??e.backend_name??``})}</span>
          <span class="number">${j(o-a,n)}</span>
          <span class="track" aria-hidden="true"
            ><span class=${r} .style=${`margin-inline-start:${i(a)};width:${i(o-a)}`}></span
          ></span>
        </li>`)}
  </ol>`}var ia=class extends P{static{this.styles=[P.styles,o`
      .waterfall {
        list-style: none;
        margin: 0 0 16px;
        padding: 0;
      }
      .waterfall li {
        display: grid;
        grid-template-columns: minmax(9rem, 14rem) 5rem 1fr;
        gap: 8px;
        align-items: center;
        margin: 4px 0;
      }
      .waterfall .number {
        text-align: end;
        font-variant-numeric: tabular-nums;
      }
      .track {
        display: block;
        height: 12px;
        border-radius: 4px;
        background: var(--zai-line);
        overflow: hidden;
      }
      .track > span {
        display: block;
        height: 100%;
        min-width: 2px;
        background: var(--zai-good);
      }
      .track > .waiting,
      .track > .rest {
        background: var(--zai-quiet);
      }
      .track > .attempt {
        background: var(--zai-bad);
      }
      .track > .first_byte,
      .track > .first_token {
        background: var(--zai-warn);
      }
      pre {
        white-space: pre-wrap;
        overflow-wrap: anywhere;
        max-height: 40vh;
        overflow-y: auto;
      }
      @media (max-width: 600px) {
        .waterfall li {
          grid-template-columns: 1fr auto;
        }
        .track {
          grid-column: 1 / -1;
        }
        dl {
          grid-template-columns: 1fr;
          gap: 0;
        }
        dd {
          margin-bottom: 8px;
        }
      }
    `]}render(){let{record:e,texts:t,language:n}=this,r=(t,r=e.currency)=>t===null?null:k(t,r,n),i=e.converted_currency===e.currency?null:e.converted_currency,a=[[`requests.id`,e.id],[`requests.answer_id`,e.answer_id],[`requests.requested_model`,e.requested_model],[`requests.source`,t(`sources.${e.source}`)],[`requests.key`,e.key],[`requests.address`,e.address],[`requests.labels`,e.labels.join(`, `)],[`requests.provider_health`,e.provider_health&&t(`states.${e.provider_health}`)],[`requests.attempts`,e.attempts],[`requests.error_code`,e.error_code],[`requests.finish`,e.finish_reason],[`requests.prompt_tokens`,A(e.tokens_prompt,n)],[`requests.cached_tokens`,e.tokens_cached?A(e.tokens_cached,n):null],[`requests.answer_tokens`,A(e.tokens_completion,n)],[`requests.reasoning_tokens`,e.tokens_reasoning?A(e.tokens_reasoning,n):null],[`requests.prompt_cost`,r(e.cost_prompt)],[`requests.answer_cost`,r(e.cost_completion)],[`requests.total_cost`,r(e.cost)],[`requests.converted_cost`,i===null?null:r(e.converted_cost,i)],[`requests.cost_source`,e.cost_source&&t(`cost_sources.${e.cost_source}`)],[`requests.energy`,e.energy_wh===null?null:`${A(aa(e.energy_wh),n)} Wh`],[`requests.first_token`,e.latency_ms===null?null:j(e.latency_ms,n)],[`requests.speed`,e.tokens_per_second]];return _`${ra(e,t,n)}
      <dl>
        ${a.filter(([,e])=>e!==null&&e!==``).map(([e,n])=>_`<dt class="quiet">${t(e)}</dt>
                <dd>${n}</dd>`)}
        ${this.attempts()}
      </dl>
      <p class="row">
        <a href=${this.api.link(`requests/${encodeURIComponent(e.id)}`)}>${t(`requests.link`)}</a>
        ${this.words===void 0?_`<button ?disabled=${this.busy} @click=${()=>this.showWords()}>${t(`requests.words`)}</button>`:y}
      </p>
      ${this.errorLine()} ${this.said()}`}attempts(){let{record:e,texts:t}=this;return e.failed_attempts.length===0?y:_`<dt class="quiet">${t(`requests.failed_attempts`)}</dt>
      <dd>
        <ol>
          ${e.failed_attempts.map(({backend_name:e,model:n,reason:r,code:i})=>_`<li>
                ${t(`requests.failed_attempt`,{provider:e,model:n,reason:r||i||t(`usage.unknown`)})}
              </li>`)}
        </ol>
      </dd>`}said(){let{words:e,texts:t}=this;return e===void 0?y:e===null?_`<p class="quiet">${t(`requests.no_words`)}</p>`:_`<h3>${t(`requests.prompt`)}</h3>
      <pre tabindex="0">${e.request}</pre>
      <h3>${t(`requests.answer`)}</h3>
      <pre tabindex="0">${e.answer}</pre>`}showWords(){return this.run(async()=>{this.words=await this.api.records.words(this.record.id)})}};N([S({attribute:!1})],ia.prototype,`record`,void 0),N([C()],ia.prototype,`words`,void 0),ia=N([x(`zai-request-detail`)],ia);var aa=e=>Number(e.toPrecision(3)),oa={hour:1,day:24,week:168},Z=class extends P{constructor(...e){super(...e),this.wanted=``,this.records=[],this.next=null,this.pages=[null],this.filter={},this.period=`week`,this.open=null,this.loaded=!1,this.choices=Qi}static{this.styles=[P.styles,o`
      td button {
        white-space: nowrap;
      }
      zai-request-detail {
        position: sticky;
        inset-inline-start: 0;
        max-width: calc(100vw - 72px);
      }
    `]}connectedCallback(){super.connectedCallback(),ea(this.api).then(e=>this.choices=e),this.hasUpdated&&this.load(this.filter)}willUpdate(e){e.has(`wanted`)&&this.load(this.wanted?{request_id:this.wanted}:{})}load(e,t=[null]){this.filter=e,this.pages=t;let n=Math.floor(Date.now()/1e3)-oa[this.period]*3600;this.run(async()=>{let r=`request_id`in e?e:{...e,start:n},i=await this.api.requests(r,t.at(-1)??null);if(t!==this.pages)return;this.records=i.requests,this.next=i.next,this.loaded=!0;let[a]=i.requests;this.open=e.request_id&&i.requests.length===1&&a?sa(a):null})}pick(e,t){let n=Object.entries({...this.filter,[e]:t}).filter(([,e])=>e!==``);this.load(Object.fromEntries(n))}render(){let{texts:e,choices:t}=this,n=[`ok`,`error`,`cancelled`].map(t=>({id:t,name:e(`requests.${t}`)}));return _`<div class="card row filters">
        <label
          >${e(`requests.period`)}
          <select
            @change=${e=>{this.period=e.target.value,this.load(this.filter)}}
          >
            ${Object.keys(oa).map(t=>_`<option value=${t} ?selected=${t===this.period}>
                  ${e(`requests.last_${t}`)}
                </option>`)}
          </select>
        </label>
        ${this.select(`outcome`,`requests.outcome`,n)}
        ${this.select(`model`,`requests.model`,t.models)}
        ${this.select(`backend_id`,`requests.provider`,t.backends)}
        ${this.select(`key_id`,`requests.key`,t.keys)} ${this.select(`user_id`,`requests.user`,t.users)}
        ${this.select(`label`,`requests.label`,t.labels)}
        ${this.select(`address`,`requests.address`,t.addresses)}
        <label
          >${e(`requests.find_id`)}
          <input
            type="search"
            maxlength="200"
            .value=${this.filter.request_id??``}
            @change=${e=>this.pick(`request_id`,e.target.value.trim())}
          />
        </label>
        ${T(e(`requests.refresh`),{press:()=>this.load(this.filter)})}
      </div>
      ${this.errorLine()}
      ${this.records.length===0?_`<div class="card quiet">${e(this.loaded?`requests.empty`:`common.loading`)}</div>`:this.list()}`}select(e,t,n){let r=this.filter[e]??``;return n.length===0?y:_`<label
      >${this.texts(t)}
      <select @change=${t=>this.pick(e,t.target.value)}>
        <option value="" ?selected=${r===``}>${this.texts(`requests.any`)}</option>
        ${n.map(e=>_`<option value=${e.id} ?selected=${r===e.id}>${e.name}</option>`)}
      </select>
    </label>`}list(){let{texts:e}=this;return _`<div class="card scroll" tabindex="0">
      <table>
        <thead>
          <tr>
            <th scope="col">${e(`requests.when`)}</th>
            <th scope="col">${e(`requests.who`)}</th>
            <th scope="col">${e(`requests.model`)}</th>
            <th scope="col">${e(`requests.provider`)}</th>
            <th scope="col">${e(`requests.outcome`)}</th>
            <th scope="col" class="number">${e(`usage.tokens`)}</th>
            <th scope="col" class="number">${e(`usage.cost`)}</th>
            <th scope="col" class="number">${e(`requests.duration`)}</th>
          </tr>
        </thead>
        <tbody>
          ${O(this.records,sa,e=>this.row(e))}
        </tbody>
      </table>
      ${this.pages.length===1&&this.next===null?y:_`<p class="row">
              ${T(e(`requests.newer`),{disabled:this.busy||this.pages.length===1,press:()=>this.load(this.filter,this.pages.slice(0,-1))})}
              ${T(e(`requests.older`),{disabled:this.busy||this.next===null,press:()=>this.load(this.filter,[...this.pages,this.next])})}
            </p>`}
    </div>`}row(e){let{texts:t,language:n}=this,r=this.open===sa(e);return _`<tr>
        <td>
          <button aria-expanded=${r?`true`:`false`} @click=${()=>this.open=r?null:sa(e)}>
            ${M(e.created,n)}
          </button>
        </td>
        <td>${e.who||t(`sources.${e.source}`)}</td>
        <td>${e.model??e.requested_model}</td>
        <td>${e.backend_name??``}</td>
        <td>${t(`requests.${e.outcome}`)}</td>
        <td class="number">${A(e.tokens_prompt+e.tokens_completion,n)}</td>
        <td class="number">${e.cost===null?``:k(e.cost,e.currency,n)}</td>
        <td class="number">${j(e.duration_ms,n)}</td>
      </tr>
      ${r?_`<tr>
              <td colspan="8">
                <zai-request-detail
                  .api=${this.api}
                  .texts=${t}
                  .language=${n}
                  .record=${e}
                ></zai-request-detail>
              </td>
            </tr>`:y}`}};N([S()],Z.prototype,`wanted`,void 0),N([C()],Z.prototype,`records`,void 0),N([C()],Z.prototype,`next`,void 0),N([C()],Z.prototype,`pages`,void 0),N([C()],Z.prototype,`filter`,void 0),N([C()],Z.prototype,`period`,void 0),N([C()],Z.prototype,`open`,void 0),N([C()],Z.prototype,`loaded`,void 0),N([C()],Z.prototype,`choices`,void 0),Z=N([x(`zai-requests`)],Z);var sa=e=>`${e.id} ${e.created}`;function ca(e){let t=(e,t)=>Object.fromEntries(Object.entries(t).map(([t,n])=>[`${e}_${t}`,n])),n=e.map(({cost:e,energy_cost:n,...r})=>({...r,...t(`cost`,e),...t(`energy_cost`,n)})),r=[...new Set(n.flatMap(e=>Object.keys(e)))],i=e=>{let t=typeof e==`number`?la(e):typeof e==`string`?e:``,n=/^[=+\-@\t\r\n]/.test(t)&&!/^-?[\d.]+$/.test(t)?`'${t}`:t;return/[",\r\n]/.test(n)?`"${n.replaceAll(`"`,`""`)}"`:n};return[r,...n.map(e=>r.map(t=>e[t]))].map(e=>e.map(i).join(`,`)).join(`\r
`)}function la(e){let t=e.toString();return t.includes(`e`)?e.toFixed(12).replace(/\.?0+$/,``):t}function ua(e,t,n){let r=URL.createObjectURL(new Blob([t],{type:n})),i=document.createElement(`a`);i.href=r,i.download=e,i.click(),URL.revokeObjectURL(r)}var da=[`requests`,`tokens`,`cost`,`energy`],fa=e=>e.tokens_prompt+e.tokens_completion,pa=e=>Object.values(e).reduce((e,t)=>e+t,0),ma={requests:e=>e.requests,tokens:fa,cost:e=>pa(e.cost),energy_cost:e=>pa(e.energy_cost),energy:e=>e.energy_kwh};function ha(e,{sort:t,down:n},r){let i=new Intl.Collator(void 0,{numeric:!0}),a=e.map(e=>({row:e,name:r(e),value:t===`name`?0:ma[t](e)})),o=n?-1:1;return a.sort((e,n)=>{let r=i.compare(e.name,n.name);return t===`name`?o*r:o*(e.value-n.value)||r}),a.map(({row:e})=>e)}function ga(e,{currency:t,rates:n}){let r=0,i=!1;for(let[a,o]of Object.entries(e)){let e=a===t?1:n[a];if(o!==0){if(e===void 0)return null;i||=a!==t,r+=o*e}}return i?r:null}var _a={backend:`backend_name`,key:`key_name`,user:`user_name`};function va(e,t,n){let r=e=>typeof e==`string`?e:``,i=r(e[_a[t]??t])||r(e[t]);return t===`source`&&i?n(`sources.${i}`):i||n(t===`label`?`usage.no_label`:`usage.unknown`)}var ya=(function(){let e=typeof document<`u`&&document.createElement(`link`).relList;return e&&e.supports&&e.supports(`modulepreload`)?`modulepreload`:`preload`})(),ba=function(e,t){return new URL(e,t).href},xa={},Sa={},Ca=function(e){return e.pathname.endsWith(`.css`)},wa=function(e,t,n){if(t in e)return e[t];let r=n();if(!r){e[t]=void 0;return}let i=r.then(()=>{e[t]=void 0},n=>{throw delete e[t],n});return e[t]=i,i},Ta=function(e,t,n){let r=Promise.resolve();if(t&&t.length>0){let e,i=document.querySelector(`meta[property=csp-nonce]`),a=i?.nonce||i?.getAttribute(`nonce`);function o(e){return Promise.all(e.map(e=>Promise.resolve(e).then(e=>({status:`fulfilled`,value:e}),e=>({status:`rejected`,reason:e}))))}function s(e){return import.meta.resolve?new URL(import.meta.resolve(e)):new URL(e,import.meta.url)}r=o(t.map(t=>{t=ba(t,n);let r=s(t),i=Ca(r);return wa(xa,r.href,()=>{if(e===void 0){e={all:new Set,styles:new Set};let t=document.getElementsByTagName(`link`);for(let n=t.length-1;n>=0;n--){let r=t[n];e.all.add(r.href),r.rel===`stylesheet`&&e.styles.add(r.href)}}let t=i?e.styles:e.all,n=i?Sa[r.href]:void 0;if(!n&&t.has(r.href))return;let o=document.createElement(`link`);if(o.rel=i?`stylesheet`:ya,i||(o.as=`script`),o.crossOrigin=``,o.href=r.href,a&&o.setAttribute(`nonce`,a),n&&delete Sa[r.href],n?.isConnected?n.replaceWith(o):document.head.appendChild(o),i)return new Promise((e,t)=>{let n=i=>{o.removeEventListener(`load`,n),o.removeEventListener(`error`,n),i.type===`error`?(Sa[r.href]=o,t(Error(`Unable to preload CSS for ${r}`))):e(i)};o.addEventListener(`load`,n),o.addEventListener(`error`,n)})})}).filter(e=>e!==void 0))}function i(e){let t=new Event(`vite:preloadError`,{cancelable:!0});if(t.payload=e,window.dispatchEvent(t),!t.defaultPrevented)throw e}return r.then(t=>{for(let e of t||[])e.status===`rejected`&&i(e.reason);return e().catch(i)})},Ea=[`model`,`backend`,`key`,`user`,`label`,`source`,`address`],Da=[`day`,`week`,`month`,`custom`],Oa=200,Q=class extends P{constructor(...e){super(...e),this.range=`month`,this.start=``,this.end=``,this.group=`model`,this.measure=`requests`,this.table=null,this.chart=null,this.order={sort:`requests`,down:!0},this.currency=null,this.name=e=>va(e,this.group,this.texts)}static{this.styles=[P.styles,o`
      .chart {
        position: relative;
        height: 280px;
      }
      th button {
        border: 0;
        padding: 0;
        min-height: 0;
        background: none;
        color: inherit;
      }
    `]}connectedCallback(){super.connectedCallback(),this.select(this.range),this.api.isAdmin&&this.api.records.currency().then(e=>this.currency=e,()=>void 0)}disconnectedCallback(){super.disconnectedCallback(),this.drawn?.destroy()}render(){return _`<div class="card row filters">
        ${this.choice(`usage.range`,Da,this.range,e=>this.select(e))}
        ${this.range===`custom`?_`${this.date(`usage.from`,`start`)}${this.date(`usage.to`,`end`)}`:y}
        ${this.choice(`usage.by`,Ea,this.group,e=>this.pick({group:e}),`group_`)}
        ${this.choice(`usage.chart_of`,da,this.measure,e=>this.measure=e,`measure_`)}
        ${[`csv`,`json`].map(e=>T(e.toUpperCase(),{disabled:!this.table?.rows.length,press:()=>this.save(e)}))}
      </div>
      ${this.errorLine()}${this.exchange()}${this.report()}`}choice(e,t,n,r,i=``){return _`<label
      >${this.texts(e)}
      <select @change=${e=>r(e.target.value)}>
        ${t.map(e=>_`<option value=${e} ?selected=${e===n}>
              ${this.texts(`usage.${i}${e}`)}
            </option>`)}
      </select>
    </label>`}date(e,t){return _`<label
      >${this.texts(e)}
      <input
        type="date"
        .value=${this[t]}
        @change=${e=>this.pick({[t]:e.target.value})}
      />
    </label>`}exchange(){let{currency:e,texts:t}=this;if(e===null)return y;let n=(n,r)=>r.length===0?y:_`<p class="card">${t(n,{currencies:r.join(`, `),currency:e.currency})}</p>`;return _`${n(`usage.one_to_one`,e.one_to_one)}${n(`usage.no_rate`,e.missing)}`}report(){let{table:e,texts:t,language:n,order:r}=this;if(e===null)return y;if(e.rows.length===0)return _`<div class="card quiet">${t(`usage.empty`)}</div>`;let i=e.total.energy_kwh>0,a=ha(e.rows,r,e=>this.name(e)),o=e=>_`<td class="number">${A(e.requests,n)}</td>
        <td class="number">${A(fa(e),n)}</td>
        <td class="number">${Rt(e.cost,n)}</td>
        ${i?_`<td class="number">${Rt(e.energy_cost,n)}</td>
                <td class="number">${e.energy_kwh?A(Number(e.energy_kwh.toPrecision(3)),n):``}</td>`:y}`;return _`${this.chart?_`<div class="card">
              <div class="chart">
                <canvas role="img" aria-label=${t(`usage.chart`,{from:e.start,to:e.end})}></canvas>
              </div>
            </div>`:y}
      <div class="card scroll" tabindex="0">
        <table>
          <thead>
            <tr>
              ${this.head(`name`,t(`usage.group_${this.group}`))} ${this.head(`requests`,t(`usage.requests`))}
              ${this.head(`tokens`,t(`usage.tokens`))} ${this.head(`cost`,t(`usage.cost`))}
              ${i?_`${this.head(`energy_cost`,t(`usage.energy_cost`))}${this.head(`energy`,t(`usage.energy`))}`:y}
            </tr>
          </thead>
          <tbody>
            ${a.slice(0,Oa).map(e=>_`<tr>
                  <td>${this.name(e)}</td>
                  ${o(e)}
                </tr>`)}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row">${t(`usage.total`)}</th>
              ${o(e.total)}
            </tr>
          </tfoot>
        </table>
        ${a.length>Oa?_`<p class="quiet">${t(`usage.more_rows`,{shown:Oa,rows:a.length})}</p>`:y}
        ${this.group===`label`?_`<p class="quiet">${t(`usage.labels_overlap`)}</p>`:y}
        ${e.complete?y:_`<p class="quiet">${t(`usage.incomplete`)}</p>`}
        ${this.converted(e.total.cost)}
      </div>`}converted(e){let{currency:t,language:n,texts:r}=this,i=t===null?null:ga(e,t);return t===null||i===null?y:_`<p class="quiet">
      ${r(`usage.converted`,{amount:Rt({[t.currency]:i},n)})}
    </p>`}head(e,t){let{order:n}=this,r=n.sort===e;return _`<th
      scope="col"
      class=${e===`name`?``:`number`}
      aria-sort=${r?n.down?`descending`:`ascending`:`none`}
    >
      <button @click=${()=>this.order={sort:e,down:r?!n.down:e!==`name`}}>
        ${t}${r?n.down?` ▾`:` ▴`:``}
      </button>
    </th>`}select(e){this.range=e;let t=new Date,n=new Date(t);e===`week`&&n.setDate(t.getDate()-6),e===`month`&&n.setDate(1),e!==`custom`&&this.pick({start:Bt(n),end:Bt(t)})}pick(e){this.start=e.start??this.start,this.end=e.end??this.end,this.group=e.group??this.group,this.start&&this.end&&this.run(()=>this.load())}async load(){let{start:e,end:t,group:n}=this,[r,i]=await Promise.all([this.api.usage(e,t,[n]),this.api.usage(e,t,[e===t?`hour`:`day`,n])]);e===this.start&&t===this.end&&n===this.group&&(this.table=r,this.chart=i.rows.length?i:null)}updated(e){(e.has(`chart`)||e.has(`measure`)||e.has(`currency`))&&this.draw()}async draw(){this.drawn?.destroy();let{chart:e,canvas:t,measure:n,currency:r,language:i}=this;if(e===null||t===null)return;let{stackedBars:a}=await Ta(async()=>{let{stackedBars:e}=await import(`./chart-Ds8yFdgq.js`);return{stackedBars:e}},[],import.meta.url),o={requests:e=>e.requests,tokens:fa,cost:e=>(r===null?null:ga(e.cost,r))??Object.values(e.cost).reduce((e,t)=>e+t,0),energy:e=>e.energy_kwh},s=new Intl.DateTimeFormat(i,{hour:`2-digit`,minute:`2-digit`});t.isConnected&&(this.drawn=a(t,e.rows.map(e=>({x:typeof e.hour==`string`?s.format(new Date(e.hour)):ka(e.day),name:this.name(e),value:o[n](e)})),n===`requests`||n===`tokens`))}save(e){let{table:t}=this;if(t===null)return;let n=ha(t.rows,this.order,this.name),r=e===`json`?JSON.stringify({...t,rows:n},null,2):ca(n);ua(`usage-${t.start}-${t.end}.${e}`,r,e===`json`?`application/json`:`text/csv`)}};N([C()],Q.prototype,`range`,void 0),N([C()],Q.prototype,`start`,void 0),N([C()],Q.prototype,`end`,void 0),N([C()],Q.prototype,`group`,void 0),N([C()],Q.prototype,`measure`,void 0),N([C()],Q.prototype,`table`,void 0),N([C()],Q.prototype,`chart`,void 0),N([C()],Q.prototype,`order`,void 0),N([C()],Q.prototype,`currency`,void 0),N([Ye(`canvas`)],Q.prototype,`canvas`,void 0),Q=N([x(`zai-usage`)],Q);var ka=e=>typeof e==`string`?e:``,Aa=class extends P{constructor(...e){super(...e),this.plan=null,this.callers={keys:[],users:[]}}firstUpdated(){this.run(async()=>{this.api.can.records&&(this.callers=await this.api.routing.callers())})}render(){let{texts:e}=this,t=[...new Set((this.live?.members??[]).flatMap(e=>e.models.map(e=>e.id)))];return _`<form class="card" @submit=${e=>this.ask(e)}>
        <h2>${e(`why.title`)}</h2>
        <p class="quiet" id="hint">${e(`why.hint`)}</p>
        <label class="wide"
          >${e(`why.text`)}
          <textarea name="text" rows="5" required aria-describedby="hint" spellcheck="false"></textarea>
        </label>
        <div class="row above end">
          <label
            >${e(`requests.model`)}
            <input name="model" list="models" placeholder="auto" autocomplete="off" />
            <datalist id="models">${t.map(e=>_`<option value=${e}></option>`)}</datalist>
          </label>
          ${this.askers()} ${T(e(`why.ask`),{kind:`main`,disabled:this.busy})}
        </div>
      </form>
      ${this.errorLine()} ${this.plan?this.answer(this.plan):y}`}askers(){let{texts:e}=this,{keys:t,users:n}=this.callers;if(t.length+n.length===0)return y;let r=(t,n)=>n.length===0?y:_`<optgroup label=${e(`why.${t}s`)}>
            ${n.map(({id:e,name:n})=>_`<option value=${`${t}_id:${e}`}>${n}</option>`)}
          </optgroup>`;return _`<label
      >${e(`why.as`)}
      <select name="asker">
        <option value="">${e(`why.anybody`)}</option>
        ${r(`key`,t)} ${r(`user`,n)}
      </select>
    </label>`}answer(e){let{texts:t}=this;return _`<div class="card" role="status">
      <p class="quiet">
        ${t(`why.form_${e.form}`,{model:e.requested_model})}
        ${e.asker?t(`why.asked_as`,{name:e.asker}):y}
        ${e.needs.length>0?t(`why.needs`,{needs:e.needs.map(e=>t(`needs.${e}`)).join(`, `)}):y}
      </p>
      ${e.error?_`<p class="error">${e.error}</p>`:y} ${this.candidates(e)}
      ${e.rejections.length?_`<h2>${t(`why.not`)}</h2>
              <ul>
                ${e.rejections.map(e=>_`<li>${e.backend?_`<b>${e.backend}</b>: `:y}${e.reason}</li>`)}
              </ul>`:y}
    </div>`}candidates(e){let{texts:t,language:n}=this;return e.candidates.length===0?y:_`<p>
        ${t(`why.order`,{strategy:t(`strategies.${e.strategy}`),tokens:A(e.prompt_tokens,n)})}
      </p>
      <ol>
        ${e.candidates.map(e=>_`<li>
              <b>${e.backend}</b> · ${e.model}
              <span class="quiet">
                ${e.most===null||e.currency===null?t(`costs.${e.cost}`):t(`why.most`,{cost:k(e.most,e.currency,n)})}
                · ${t(`providers.running`)}:
                ${A(e.running,n)}${e.limit===null?y:_` / ${A(e.limit,n)}`}
                ${e.now?y:_` · ${t(`why.last_resort`)}`}
              </span>
            </li>`)}
      </ol>`}ask(e){e.preventDefault();let t=new FormData(e.target),n=F(t,`model`),[r,i]=F(t,`asker`).split(/:(.*)/s);this.run(async()=>{this.plan=null,this.plan=await this.api.routing.why({text:F(t,`text`),...n&&{model:n},...r&&i?{[r]:i}:{}})})}};N([C()],Aa.prototype,`plan`,void 0),N([C()],Aa.prototype,`callers`,void 0),Aa=N([x(`zai-why`)],Aa);var ja=[`overview`,`chat`,`providers`,`usage`,`requests`,`keys`,`budgets`,`models`,`why`],Ma=[`chat`,`usage`,`requests`,`keys`],Na=[`overview`,`providers`,`models`,`why`],$=class extends b{constructor(...e){super(...e),this.language=`en`,this.tab=``,this.narrow=!1,this.live=null,this.connected=!0,this.blocked=null}static{this.styles=[D,o`
      :host {
        max-width: 1200px;
        margin: 0 auto;
        padding: 16px;
      }
      nav {
        display: flex;
        gap: 4px;
        overflow-x: auto;
        margin-bottom: 16px;
        border-bottom: 1px solid var(--zai-line);
      }
      nav a {
        padding: 12px;
        color: var(--zai-quiet);
        text-decoration: none;
        white-space: nowrap;
        border-bottom: 3px solid transparent;
      }
      nav a[aria-current] {
        color: var(--zai-text);
        border-color: var(--zai-accent);
        font-weight: 500;
      }
      nav a:focus-visible {
        outline-offset: -2px;
      }
    `]}connectedCallback(){super.connectedCallback(),this.hasUpdated&&this.subscribe()}disconnectedCallback(){super.disconnectedCallback(),this.end?.(),this.end=void 0}firstUpdated(){this.subscribe(),this.findRefusal()}async findRefusal(){if(!this.api.isAdmin)try{let{own:e}=await this.api.keys();e?.refusal===`blocked`&&(this.blocked=e)}catch{}}subscribe(){this.api.isAdmin&&(this.end=this.api.live(e=>this.live=e,e=>this.connected=e))}get tabs(){return this.api.isAdmin?this.api.can.records?ja:Na:Ma}render(){let{tabs:e,texts:t}=this,[n]=this.tab.split(`/`),r=e.find(e=>e===n)??e[0];return _`<nav aria-label=${t(`common.tabs`)}>
        ${e.map(e=>_`<a href=${this.api.link(e)} aria-current=${e===r?`page`:y}
              >${t(`tabs.${e}`)}</a
            >`)}
      </nav>
      <div>${this.connected?y:vt(t(`common.reconnecting`),`warning`)}</div>
      ${this.blocked&&r!==`keys`?ji(this.blocked,t,this.language):y}
      <main>${this.view(r??`usage`)}</main>`}get wanted(){let e=this.tab.slice(this.tab.indexOf(`/`)+1||this.tab.length);try{return decodeURIComponent(e)}catch{return e}}view(e){let{api:t,texts:n,live:r,language:i,narrow:a}=this;switch(e){case`overview`:return _`<zai-overview .api=${t} .texts=${n} .live=${r} .language=${i}></zai-overview>`;case`chat`:return _`<zai-chat .api=${t} .texts=${n} .language=${i}></zai-chat>`;case`providers`:return _`<zai-providers .api=${t} .texts=${n} .live=${r} .language=${i}></zai-providers>`;case`usage`:return _`<zai-usage .api=${t} .texts=${n} .language=${i} .narrow=${a}></zai-usage>`;case`requests`:return _`<zai-requests
          .api=${t}
          .texts=${n}
          .language=${i}
          .wanted=${this.wanted}
        ></zai-requests>`;case`keys`:return _`<zai-keys .api=${t} .texts=${n} .language=${i}></zai-keys>`;case`budgets`:return _`<zai-budgets .api=${t} .texts=${n} .live=${r} .language=${i}></zai-budgets>`;case`models`:return _`<zai-models .api=${t} .texts=${n} .live=${r} .language=${i}></zai-models>`;case`why`:return _`<zai-why .api=${t} .texts=${n} .live=${r} .language=${i}></zai-why>`}}};N([S({attribute:!1})],$.prototype,`api`,void 0),N([S({attribute:!1})],$.prototype,`texts`,void 0),N([S()],$.prototype,`language`,void 0),N([S()],$.prototype,`tab`,void 0),N([S({type:Boolean})],$.prototype,`narrow`,void 0),N([C()],$.prototype,`live`,void 0),N([C()],$.prototype,`connected`,void 0),N([C()],$.prototype,`blocked`,void 0),$=N([x(`zai-page`)],$);export{_ as C,y as S,Ze as _,gt as a,x as b,lt as c,nt as d,at as f,Qe as g,$e as h,xt as i,st as l,tt as m,N as n,pt as o,et as p,D as r,ft as s,F as t,ot as u,C as v,o as w,b as x,S as y};