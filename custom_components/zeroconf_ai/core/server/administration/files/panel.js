import{C as e,S as t,_ as n,a as r,b as i,c as a,f as o,g as s,i as c,l,n as u,o as d,s as f,u as p,v as m,x as h,y as g}from"./page-BodAevjA.js";var _=e=>({settings:()=>e(`alerts`),change:t=>e(`alerts/set`,{...t}),test:async()=>(await e(`alerts/test`)).deliveries}),v=`/zeroconf-ai`,y=class{constructor(e){this.hass=e,this.settings=`/config/integrations/integration/zeroconf_ai`,this.can={arrange:!0,records:!0},this.alerts=_((e,t)=>this.ask(e,t)),this.records=f((e,t)=>this.ask(e,t)),this.routing=d((e,t)=>this.ask(e,t)),this.finding=l((e,t)=>this.ask(e,t),async e=>{let t=await this.hass.connection.subscribeMessage(e,{type:`zeroconf_ai/discovered`});return()=>void t()},async(e,t)=>{let n;try{return await new Promise((r,i)=>{t.addEventListener(`abort`,()=>i(new o(`ended`,`The search was ended.`))),this.hass.connection.subscribeMessage(t=>{`found`in t?r(t.found):`failed`in t?i(new o(`scan_failed`,t.failed)):e(t.progress)},{type:`zeroconf_ai/discovery/scan`}).then(e=>n=e,i)})}finally{n?.()}}),this.chat=new p(e,(e,t)=>this.ask(e,t))}get isAdmin(){return this.hass.user.is_admin}live(e,t){return s(this.hass.connection,{type:`zeroconf_ai/live`},e,t)}usage(e,t,n){return this.ask(`usage`,{start:e,end:t,group_by:n})}requests(e,t){return this.ask(`requests`,{...e,...t===null?{}:{after:t}})}keys(){return this.ask(`keys`)}createKey(e){return this.ask(this.isAdmin?`keys/create`:`keys/create_own`,{...e})}updateKey(e,t){return this.ask(this.isAdmin?`keys/update`:`keys/update_own`,{key_id:e,...t})}enableKey(e,t){return this.ask(`keys/enable`,{key_id:e,enabled:t})}rotateKey(e){return this.ask(`keys/rotate`,{key_id:e})}revokeKey(e){return this.ask(`keys/revoke`,{key_id:e})}async budgets(){let e=await this.ask(`budgets`);return e.budgets.map(t=>({...t,currency:e.currency}))}setBudget(e){let{scope:t,subject:n,period:r,amount:i,action:a,thresholds:o}=e;return this.ask(`budgets/set`,{scope:t,subject:n,period:r,amount:i,action:a,thresholds:o})}resetBudget({scope:e,subject:t,period:n}){return this.ask(`budgets/reset`,{scope:e,subject:t,period:n})}removeBudget({scope:e,subject:t,period:n}){return this.ask(`budgets/remove`,{scope:e,subject:t,period:n})}useProvider(e,t){return this.ask(`providers/set`,{backend_id:e,enabled:t})}orderProviders(e){return this.ask(`providers/order`,{backend_ids:e})}checkProvider(e){return this.ask(`providers/check`,{backend_id:e})}get flows(){return new a(this.hass)}link(e){return`${v}/${e}`}async ask(e,t={}){try{return await this.hass.connection.sendMessagePromise({type:`zeroconf_ai/${e}`,...t})}catch(e){let{code:t,message:n}=e;throw new o(t??`failed`,n??`The command failed.`)}}},b=300,x=`component.zeroconf_ai.config_panel.`,S=class extends i{constructor(...e){super(...e),this.route={path:``},this.narrow=!1,this.loaded=``,this.ready=!1,this.language=``,this.texts=(e,t)=>this.hass.localize(x+e,t)||e}static{this.styles=e`
    :host {
      display: block;
      height: 100%;
      overflow-y: auto;
      background: var(--primary-background-color);
    }
    header {
      position: sticky;
      top: 0;
      z-index: 1;
      display: flex;
      align-items: center;
      gap: 8px;
      min-height: var(--header-height, 56px);
      padding: 0 12px;
      background: var(--app-header-background-color, var(--primary-color));
      color: var(--app-header-text-color, #fff);
    }
    h1 {
      font-size: 1.25rem;
      font-weight: 400;
      margin: 0;
    }
  `}connectedCallback(){super.connectedCallback(),r(b).then(()=>this.ready=!0)}willUpdate(e){if(e.has(`hass`)&&(this.api??=new y(this.hass),this.language!==this.hass.language)){let e=this.language=this.hass.language;this.hass.loadBackendTranslation(`config_panel`,`zeroconf_ai`).then(()=>this.loaded=e)}}render(){return t`<header>
        ${this.ready?c(this.hass,this.narrow,this.texts(`common.menu`)):h}
        <h1>ZeroConf AI</h1>
      </header>
      ${this.loaded&&this.ready?t`<zai-page
              .api=${this.api}
              .texts=${this.texts}
              .language=${this.loaded}
              .narrow=${this.narrow}
              .tab=${this.route.path.replace(/^\//,``)}
            ></zai-page>`:h}`}};u([m({attribute:!1})],S.prototype,`hass`,void 0),u([m({attribute:!1})],S.prototype,`route`,void 0),u([m({type:Boolean})],S.prototype,`narrow`,void 0),u([n()],S.prototype,`loaded`,void 0),u([n()],S.prototype,`ready`,void 0),S=u([g(`zeroconf-ai-panel`)],S);